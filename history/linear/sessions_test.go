package linear

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// retry makes of an op one of the ways in which its client may have come to it with an Idempotency-Key, from a server that
// keeps its word. What the later attempts had seen is at least what the first one had, and often its number.
func retry(rng *rand.Rand, o history.Op) []history.Op {
	try := func(n uint8, call, end time.Duration, out history.Outcome, replayed bool) history.Op {
		a := o
		a.Attempt, a.Call, a.Return, a.Outcome, a.Replayed = n, call, end, out, replayed
		if out != history.OK {
			a.Turno, a.Reason = 0, history.Reset
		}
		if n > 1 {
			a.Seen += rng.Uint64N(3) * o.Turno
		}
		return a
	}
	c, r := o.Call, o.Return
	switch o.Outcome {
	case history.Failed:
		return []history.Op{try(1, c, r, history.Failed, false), try(2, r, r+1, history.Failed, false)}
	case history.Unknown:
		return []history.Op{try(1, c, r, history.Unknown, false), try(2, r, r+9, history.Unknown, false)}
	}
	switch rng.IntN(6) {
	case 0: // answered, and asked again
		return []history.Op{try(1, c, r, history.OK, false), try(2, r+1, r+7, history.OK, true), try(3, r+8, r+9, history.OK, true)}
	case 1: // the answer was lost; the retry brings it
		return []history.Op{try(1, c, c, history.Unknown, false), try(2, c, r, history.OK, true)}
	case 2: // the request was lost; the retry takes the number, and a third one is a replay
		return []history.Op{try(1, c, r+50, history.Unknown, false), try(2, c, r, history.OK, false), try(3, r+1, r+3, history.OK, true)}
	case 3: // both together, the replay first
		return []history.Op{try(1, c, r+9, history.OK, false), try(2, c, r, history.OK, true)}
	case 4: // refused, and asked again
		second := try(2, c, r, history.OK, false)
		second.Seen = o.Seen
		return []history.Op{try(1, c, c, history.Failed, false), second}
	}
	return []history.Op{try(1, c, r, history.OK, false)}
}

// TestKeysAreOneOp holds the proof of histories in which requests have keys against the definition, and porcupine, of those
// in which each of them is one op.
func TestKeysAreOneOp(t *testing.T) {
	rounds := 40_000
	if testing.Short() {
		rounds = 3_000
	}
	for seed := range rounds {
		rng := rand.New(rand.NewPCG(uint64(seed), 21))
		ops := invent(rng, 1+rng.IntN(9), 0, .25)
		for range rng.IntN(4) {
			mutate(rng, ops)
		}
		see(ops)
		cfg := Config{IDs: []string{"grupo1"}, Fresh: true, Exclusive: true}
		want, share := define(ops, cfg), rng.Float64()
		c := New(cfg)
		var sent []history.Op
		deliver(rng, ops, func(b history.Batch) {
			var tried []history.Op
			for _, o := range b.Ops {
				if rng.Float64() < share {
					tried = append(tried, retry(rng, o)...)
				} else {
					tried = append(tried, o)
				}
			}
			sent = append(sent, tried...)
			b.Ops = tried
			c.Add(b)
		})
		p := c.Close()
		if got := countsOf(p); got != want {
			t.Fatalf("seed %d: counts %+v; want %+v of %+v, sent as %+v", seed, got, want, ops, sent)
		}
		if seed%8 == 0 && search(ops, nil, 0) != (p.Linearizable == nil || *p.Linearizable) {
			t.Fatalf("seed %d: porcupine does not say %v of %+v", seed, p.Linearizable, ops)
		}
		if s := p.Sessions; s != nil && s.TwoNumbers+s.WrongMarks > 0 {
			t.Fatalf("seed %d: %+v of a server that keeps its word: %s of %+v", seed, s, p.Findings[len(p.Findings)-1].Text, sent)
		}
	}
}

// answered is attempt n of a key.
func answered(n uint8, call, end time.Duration, turno uint64, replayed bool) history.Op {
	return history.Op{Attempt: n, Call: call, Return: end, Turno: turno, Replayed: replayed, Status: 200}
}

func unanswered(n uint8, call, end time.Duration) history.Op {
	return history.Op{Attempt: n, Call: call, Return: end, Outcome: history.Unknown, Reason: history.Reset}
}

func refused(n uint8, call, end time.Duration) history.Op {
	return history.Op{Attempt: n, Call: call, Return: end, Outcome: history.Failed, Reason: history.NotConsumed, Status: 503}
}

// keyTests are the attempts of one key, in the run's first moments, and what they show.
var keyTests = []struct {
	name     string
	attempts []history.Op
	finding  history.FindingKind // "" = none
	text     string              // that its text has
	want     history.Sessions    // Keys is 1
}{
	{"answered", []history.Op{answered(1, 1, 2, 1, false)}, "", "", history.Sessions{}},
	{"replayed", []history.Op{answered(1, 1, 2, 1, false), answered(2, 3, 4, 1, true)}, "", "", history.Sessions{Replays: 1}},
	{"together", []history.Op{answered(1, 1, 4, 1, true), answered(2, 2, 3, 1, false)}, "", "", history.Sessions{Replays: 1}},
	{"together, the replay came first", []history.Op{answered(1, 1, 4, 1, false), answered(2, 2, 3, 1, true)}, "", "", history.Sessions{Replays: 1}},
	{"the request was lost", []history.Op{unanswered(1, 1, 2), answered(2, 3, 4, 1, false), answered(3, 5, 6, 1, true)}, "", "",
		history.Sessions{Replays: 1}},
	{"the answer was lost", []history.Op{unanswered(1, 1, 2), answered(2, 3, 4, 1, true), answered(3, 5, 6, 1, true)}, "", "",
		history.Sessions{Replays: 2, Recovered: 1}},
	{"refused at first", []history.Op{refused(1, 1, 2), answered(2, 3, 4, 1, false)}, "", "", history.Sessions{}},
	{"answered, then lost", []history.Op{answered(1, 1, 2, 1, false), unanswered(2, 3, 4)}, "", "", history.Sessions{}},
	{"lost", []history.Op{unanswered(1, 1, 2), unanswered(2, 3, 4)}, "", "", history.Sessions{}},
	{"refused", []history.Op{refused(1, 1, 2), refused(2, 3, 4)}, "", "", history.Sessions{}},
	{"answered as the next was sent: nobody knows which was first", []history.Op{answered(1, 1, 3, 1, true), answered(2, 3, 4, 1, false)}, "", "",
		history.Sessions{Replays: 1}},

	{"another number", []history.Op{answered(1, 1, 2, 1, false), answered(2, 3, 4, 2, false)}, history.TwoNumbers,
		"two numbers for one Idempotency-Key: 1, sent 0.000000 s, answered 0.000000 s; and 2, sent", history.Sessions{TwoNumbers: 1}},
	{"another number, together", []history.Op{answered(1, 1, 4, 2, false), answered(2, 2, 3, 1, false)}, history.TwoNumbers, "", history.Sessions{TwoNumbers: 1}},
	{"another number, called a replay", []history.Op{answered(1, 1, 2, 1, false), answered(2, 3, 4, 2, true)}, history.TwoNumbers, "",
		history.Sessions{TwoNumbers: 1, Replays: 1}},
	{"another number after a lost answer and a right one", []history.Op{unanswered(1, 1, 2), answered(2, 3, 4, 1, true), answered(3, 5, 6, 2, true)},
		history.TwoNumbers, "", history.Sessions{TwoNumbers: 1, Replays: 2}},
	{"another number after two right ones", []history.Op{answered(1, 1, 2, 1, false), answered(2, 3, 4, 1, true), answered(3, 5, 6, 2, false)},
		history.TwoNumbers, "for one Idempotency-Key: 1, sent 0.000000 s, answered 0.000000 s; and 2, sent", history.Sessions{TwoNumbers: 1, Replays: 1}},
	{"no mark", []history.Op{answered(1, 1, 2, 1, false), answered(2, 3, 4, 1, false)}, history.WrongMark,
		"turno 1 is not marked Idempotent-Replayed: true, but its key had it already", history.Sessions{WrongMarks: 1}},
	{"no mark, together", []history.Op{answered(1, 1, 4, 1, false), answered(2, 2, 3, 1, false)}, history.WrongMark, "", history.Sessions{WrongMarks: 1}},
	{"no mark on the third", []history.Op{unanswered(1, 1, 2), answered(2, 3, 4, 1, true), answered(3, 5, 6, 1, false)}, history.WrongMark, "",
		history.Sessions{WrongMarks: 1, Replays: 1}},
	{"a mark on the first", []history.Op{answered(1, 1, 2, 1, true)}, history.WrongMark,
		"turno 1 is marked Idempotent-Replayed: true, but its key had not been given a number before: sent", history.Sessions{WrongMarks: 1, Replays: 1}},
	{"a mark on all", []history.Op{answered(1, 1, 2, 1, true), answered(2, 3, 4, 1, true)}, history.WrongMark, "had not been given",
		history.Sessions{WrongMarks: 1, Replays: 2}},
	{"a mark on both together", []history.Op{answered(1, 1, 4, 1, true), answered(2, 2, 3, 1, true)}, history.WrongMark, "", history.Sessions{WrongMarks: 1, Replays: 2}},
	{"a mark on the first, none on the second", []history.Op{answered(1, 1, 2, 1, true), answered(2, 3, 4, 1, false)}, history.WrongMark, "",
		history.Sessions{WrongMarks: 1, Replays: 1}},
	{"a mark on the first; one that was lost came later", []history.Op{answered(1, 1, 2, 1, true), unanswered(2, 3, 4)}, history.WrongMark, "",
		history.Sessions{WrongMarks: 1, Replays: 1}},
	{"a mark after a refusal", []history.Op{refused(1, 1, 2), answered(2, 3, 4, 1, true)}, history.WrongMark, "", history.Sessions{WrongMarks: 1, Replays: 1}},
}

func TestKeys(t *testing.T) {
	for _, tt := range keyTests {
		c := New(fresh)
		c.Add(history.Batch{Ops: slices.Clone(tt.attempts), Watermark: 100})
		p := c.Close()
		want := tt.want
		want.Keys = 1
		if n := uint64(len(tt.attempts)) - 1; n > 0 {
			want.Retried, want.Retries = 1, n
		}
		if p.Sessions == nil || *p.Sessions != want {
			t.Errorf("%s: sessions %+v; want %+v", tt.name, p.Sessions, want)
		}
		if (tt.finding != "") != (p.Violations() > 0) || p.Violations() != c.Violations() {
			t.Errorf("%s: %d violations (%d while it ran); want some: %v", tt.name, p.Violations(), c.Violations(), tt.finding != "")
		}
		if got := kinds(p); tt.finding == "" && len(got) > 0 || tt.finding != "" && !slices.Equal(got, []history.FindingKind{tt.finding}) {
			t.Errorf("%s: found %v; want %q", tt.name, p.Findings, tt.finding)
		} else if len(got) > 0 && !strings.Contains(p.Findings[0].Text, tt.text) {
			t.Errorf("%s: %q; want %q in it", tt.name, p.Findings[0].Text, tt.text)
		}
		if tt.finding == history.TwoNumbers && (p.Findings[0].Op == nil || p.Findings[0].Other == nil) {
			t.Errorf("%s: a request is not named", tt.name)
		}
	}
}

// What a key resolves explains nothing else, and what it does not explains one number.
func TestKeysAndMissingNumbers(t *testing.T) {
	before, after := history.Op{Call: 0, Return: 1, Turno: 1}, history.Op{Call: 50, Return: 60, Turno: 4, Seen: 1}
	tests := []struct {
		name     string
		attempts []history.Op
		want     counts
	}{
		{"resolved: the number of the first attempt is missing", []history.Op{unanswered(1, 2, 3), answered(2, 4, 5, 3, false)},
			counts{ops: 3, gaps: 1}},
		{"lost for good", []history.Op{unanswered(1, 2, 3), unanswered(2, 4, 5)}, counts{ops: 2, unknown: 1, gaps: 1, burned: 1}},
		{"refused", []history.Op{refused(1, 2, 3), refused(2, 4, 5)}, counts{ops: 2, gaps: 2}},
		{"refused, then lost", []history.Op{refused(1, 2, 3), unanswered(2, 4, 5)}, counts{ops: 2, unknown: 1, gaps: 1, burned: 1}},
		{"lost, then two numbers: nobody knows what the first took", []history.Op{unanswered(1, 2, 3), answered(2, 4, 5, 5, false), answered(3, 6, 7, 3, false)},
			counts{ops: 4, unknown: 1, burned: 1, wentBack: 0}},
		{"an answer that breaks the contract, then the number", []history.Op{
			{Attempt: 1, Call: 2, Return: 3, Outcome: history.Unknown, Reason: history.NotJSON, Status: 200}, answered(2, 4, 5, 3, true)},
			counts{ops: 3, gaps: 1, bad: 1}},
		{"answers that break the contract", []history.Op{
			{Attempt: 1, Call: 2, Return: 3, Outcome: history.Unknown, Reason: history.NotJSON, Status: 200},
			{Attempt: 2, Call: 4, Return: 5, Outcome: history.Unknown, Reason: history.WrongID, Status: 200}},
			counts{ops: 2, unknown: 1, gaps: 1, burned: 1, bad: 2}},
	}
	for _, tt := range tests {
		c := New(fresh)
		c.Add(history.Batch{Ops: slices.Concat([]history.Op{before}, tt.attempts, []history.Op{after}), Watermark: 100,
			Answers: []history.Answer{{Index: 1, Body: []byte("first")}, {Index: 2, Body: []byte("second")}}})
		p := c.Close()
		if got := countsOf(p); got != tt.want {
			t.Errorf("%s: counts %+v; want %+v", tt.name, got, tt.want)
		}
		for i, f := range slices.DeleteFunc(p.Findings, func(f history.Finding) bool { return f.Kind != history.BadAnswer }) {
			if want := []string{"first", "second"}[i]; f.Op.Answer != want {
				t.Errorf("%s: answer %q; want %q", tt.name, f.Op.Answer, want)
			}
		}
	}
}

// A key's number must be above what had been answered before its first attempt; what was answered later is no matter.
func TestKeysAndRealTime(t *testing.T) {
	first, second := answered(1, 10, 20, 0, false), answered(2, 30, 40, 5, true)
	first.Outcome, first.Seen, second.Seen = history.Unknown, 4, 9
	rest := []history.Op{{Call: 1, Return: 2, Turno: 4}, {Call: 21, Return: 22, Turno: 9, Seen: 4}}
	for seen, back := range map[uint64]uint64{4: 0, 5: 1} {
		first.Seen = seen
		c := New(Config{IDs: []string{"a"}, Exclusive: false})
		c.Add(history.Batch{Ops: append(slices.Clone(rest), first, second), Watermark: 100})
		if p := c.Close(); p.WentBack != back {
			t.Errorf("the number 5 of a key that was first sent when %d had been answered: %d went back; want %d", seen, p.WentBack, back)
		}
	}
}

func TestTargetThatIgnoresKeys(t *testing.T) {
	const hint = "ignores Idempotency-Key"
	tests := []struct {
		name string
		ops  []history.Op
		want bool
	}{
		{"each retry took a new number", []history.Op{answered(1, 1, 2, 1, false), answered(2, 3, 4, 2, false)}, true},
		{"one of two retries", []history.Op{answered(1, 1, 2, 1, false), answered(2, 3, 4, 2, false), answered(1, 5, 6, 3, false), answered(2, 7, 8, 3, false)}, false},
		{"all that were retried", []history.Op{answered(1, 1, 2, 1, false), answered(2, 3, 4, 2, false), answered(1, 5, 6, 3, false)}, true},
		{"but it marks them", []history.Op{answered(1, 1, 2, 1, false), answered(2, 3, 4, 2, true)}, false},
		{"a right one", []history.Op{answered(1, 1, 2, 1, false), answered(2, 3, 4, 1, true)}, false},
	}
	for _, tt := range tests {
		c := New(fresh)
		c.Add(history.Batch{Ops: tt.ops, Watermark: 100})
		if said := strings.Join(c.Close().Remarks, "\n"); strings.Contains(said, hint) != tt.want {
			t.Errorf("%s: remarks %q; want one that it %s: %v", tt.name, said, hint, tt.want)
		}
	}
}

// What the keys don't prove is said, too.
func TestRemarksOnKeys(t *testing.T) {
	plain := func(call time.Duration, turno uint64) history.Op {
		return history.Op{Call: call, Return: call + 1, Turno: turno, Seen: turno - 1}
	}
	const nothing, alone = "no Idempotency-Key was answered twice", "no two requests were ever in flight together"
	tests := []struct {
		name     string
		ops      []history.Op
		want     []string
		wantNone []string
	}{
		{"no keys", []history.Op{plain(1, 1), plain(5, 2)}, []string{alone}, []string{nothing}},
		{"answered once", []history.Op{answered(1, 1, 2, 1, false), plain(5, 2)}, []string{alone, nothing}, nil},
		{"answered once, and lost", []history.Op{answered(1, 1, 2, 1, false), unanswered(2, 3, 4), plain(5, 2)}, []string{alone, nothing}, nil},
		{"two requests with one key together", []history.Op{answered(1, 1, 4, 1, false), answered(2, 2, 3, 1, true), plain(5, 2)}, []string{alone}, []string{nothing}},
		{"a number by a retry alone", []history.Op{unanswered(1, 1, 2), answered(2, 3, 4, 1, true), plain(5, 2)}, []string{"1 numbers came by a retry alone"}, nil},
	}
	for _, tt := range tests {
		c := New(fresh)
		c.Add(history.Batch{Ops: tt.ops, Watermark: 100})
		said := strings.Join(c.Close().Remarks, "\n")
		for _, want := range tt.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s: remarks %q; want %q in them", tt.name, said, want)
			}
		}
		for _, want := range tt.wantNone {
			if strings.Contains(said, want) {
				t.Errorf("%s: remarks %q; want none of %q", tt.name, said, want)
			}
		}
	}
}

// Of a target that is always wrong, the first findings of each kind are kept.
func TestFindingsOnKeysAreBounded(t *testing.T) {
	c := New(fresh)
	var b history.Batch
	for i := range time.Duration(1000) {
		at, n := 10*i, uint64(3*i)
		b.Ops = append(b.Ops, answered(1, at+1, at+2, n+1, false), answered(2, at+3, at+4, n+2, false), answered(1, at+5, at+6, n+3, true))
	}
	b.Watermark = 1e6
	c.Add(b)
	p := c.Close()
	found := map[history.FindingKind]int{}
	for _, f := range p.Findings {
		found[f.Kind]++
	}
	if p.Sessions.TwoNumbers != 1000 || p.Sessions.WrongMarks != 1000 || found[history.TwoNumbers] != perKind || found[history.WrongMark] != perKind {
		t.Errorf("%+v, %v; want 1000 of each, and %d findings", *p.Sessions, found, perKind)
	}
}

// Keys of an id that the run does not have are not judged.
func TestKeysOfStrays(t *testing.T) {
	o := answered(1, 1, 2, 1, true)
	o.ID, o.Reason, o.Outcome, o.Turno = 7, history.NotJSON, history.Unknown, 0
	c := New(fresh)
	c.Add(history.Batch{Ops: []history.Op{o}, Watermark: 100})
	if p := c.Close(); p.Violations() > 0 || len(p.Findings) > 0 || !strings.Contains(strings.Join(p.Remarks, "\n"), "1 ops name an id") {
		t.Errorf("Close() = %+v; want a remark alone", p)
	}
}
