//go:build linux

package faults

import (
	"testing"
	"time"
)

// mutant is a server that is wrong on purpose, made of ours by replacing a few lines while it is built; and the row of the
// table, the cheapest that we know, that must convict it.
type mutant struct {
	name  string
	does  string // for people: what it does wrong
	edits []edit

	row      string
	store    *store
	nodes    int
	convicts verdict
}

// verdict is as what a mutant is convicted.
type verdict string

const (
	byProof  verdict = "violated"            // by the proof of load
	byLedger verdict = "books don't balance" // by the nodes' own account
)

// mutants lists them. Each stands for a rule of the batcher or of a store; fenceOff is also a control in the table itself.
var mutants = []*mutant{lateJoiner, spareNumber, blindRetry, noRecord, earlyAnswer, lateCommit, fenceOff, noGrace, lostEntry, lostKey, keyAfterwards}

var fenceOff = &mutant{
	name: "fence off", does: "takes no notice of a store that went back: nobody compares marks",
	row: "redis emptied, fence off", store: volatile, nodes: 1, convicts: byProof,
	edits: []edit{
		{"server/call.go", "	last := c.First + c.Granted - 1\n", "	last := c.First + c.Granted - 1\n	c.Mark, k.mark, k.recent = 0, 0, recent{}\n"},
		{"server/store/redis/life.go", "s.fence(ctx, m.life, marks, jump)", "s.fence(ctx, m.life, nil, jump)"},
		{"server/store/redis/reserve.lua", "elseif redis.call('SISMEMBER', ids, id) ~= 0 then", "elseif false then"},
	},
}

var noGrace = &mutant{
	name: "no grace", does: "goes on at once when it has compared its own marks with a Redis that is not what it was",
	row: "node late", store: always, nodes: 3, convicts: byProof,
	edits: []edit{{"server/store/redis/life.go", "	wait := s.options.Grace\n", "	wait := time.Duration(0)\n"}},
}

var lateJoiner = &mutant{
	name: "late joiner", does: "gives the numbers of a block to requests that came after the block was asked for",
	row: "link slow", store: everysec, nodes: 3, convicts: byProof,
	edits: []edit{{"server/call.go", "	next, end := c.First, c.First+min(c.N, c.Granted)\n", `	for i, late := range blk.of.waiting[:min(len(blk.waiters), len(blk.of.waiting))] {
		blk.waiters[i], blk.of.waiting[i] = late, blk.waiters[i]
	}
	next, end := c.First, c.First+min(c.N, c.Granted)
`}},
}

var spareNumber = &mutant{
	name: "spare number", does: "asks for one number more than requests wait, and keeps it for the next one that comes",
	row: "link slow", store: everysec, nodes: 3, convicts: byProof,
	edits: []edit{
		{"server/slot.go", "N: uint64(len(waiters)), Mark: k.mark", "N: uint64(len(waiters)) + 1, Mark: k.mark"},
		{"server/call.go", "	k.mark = max(k.mark, last)\n", "	k.mark = max(k.mark, last)\n	k.spare = append(k.spare, last)\n"},
		{"server/batcher.go", "type counter struct {\n", "type counter struct {\n	spare []uint64\n"},
		{"server/batcher.go", "	if refused, ok := b.admit(w, id); !ok {\n", `	if k := b.counters[string(id)]; k != nil && len(k.spare) > 0 {
		turno := k.spare[0]
		k.spare = k.spare[1:]
		b.mu.Unlock()
		return turno, answered, nil
	}
	if refused, ok := b.admit(w, id); !ok {
`},
	},
}

var blindRetry = &mutant{
	name: "blind retry", does: "repeats a call whose answer was lost as a new one, without its token",
	row: "link cut after the command", store: everysec, nodes: 1, convicts: byProof,
	edits: []edit{{"server/call.go", "			lost = err\n", "			lost = err\n			s.call.Seq++\n"}},
}

var noRecord = &mutant{
	name: "token without a record", does: "the Redis script takes a new block when it is asked again for one that it gave",
	row: "link cut after the command", store: everysec, nodes: 1, convicts: byProof,
	edits: []edit{{"server/store/redis/reserve.lua", "  if last == tonumber(seq) then return sub(record, at + 1) end\n", ""}},
}

var lateCommit = &mutant{
	name: "answer before commit", does: "the file store answers when a record has been made, and writes it to disk with the next one",
	row: "node killed", store: file, nodes: 1, convicts: byProof,
	edits: []edit{
		{"server/store/file/log.go", "type log struct {\n", "type log struct {\n	late []byte\n"},
		{"server/store/file/log.go", "func (l *log) append(body []byte) error {\n", `func (l *log) append(body []byte) error {
	body, l.late = l.late, body
	if body == nil {
		return nil
	}
`},
	},
}

var earlyAnswer = &mutant{
	name: "early answer", does: "hands out the numbers that should come next before the store has answered",
	row: "link slow", store: everysec, nodes: 3, convicts: byProof,
	edits: []edit{{"server/call.go", "		start := time.Now()\n		err := b.store.Reserve(ctx, &s.call)\n", `		start := time.Now()
		b.mu.Lock()
		for i := range s.blocks {
			if k := s.blocks[i].of; k.mark > 0 {
				for _, w := range s.blocks[i].waiters {
					k.mark++
					w.turno = k.mark
					w.end(answered, nil)
				}
			}
		}
		b.mu.Unlock()
		err := b.store.Reserve(ctx, &s.call)
		for i := range s.call.Claims {
			s.call.Claims[i].Mark = 0
		}
`}},
}

var lostKey = &mutant{
	name: "lost key", does: "the Redis script takes a number for a key that has one",
	row: "link cut, with keys", store: everysec, nodes: 1, convicts: byProof,
	edits: []edit{{"server/store/redis/reserve.lua", "      if has then\n", "      if false then\n"}},
}

var keyAfterwards = &mutant{
	name: "key afterwards", does: "keeps the number of a key in the node, beside the store, once the answer is there",
	row: "link cut, with keys", store: everysec, nodes: 3, convicts: byProof,
	edits: []edit{
		{"server/batcher.go", "	w := newWaiter(c, since, key)\n", `	if had, ok := b.keys.Load(string(id) + " " + key); ok && key != "" {
		return had.(uint64), replayed, nil
	}
	w := newWaiter(c, since, "")
`},
		{"server/batcher.go", "	turno, o, err := w.turno, w.outcome, w.err\n", `	turno, o, err := w.turno, w.outcome, w.err
	if o == answered && key != "" {
		b.keys.Store(string(id)+" "+key, turno)
	}
`},
		{"server/batcher.go", "type batcher struct {\n", "type batcher struct {\n	keys sync.Map\n"},
	},
}

var lostEntry = &mutant{
	name: "lost ledger entry", does: "forgets to write down a number whose client has left",
	row: "clients give up", store: everysec, nodes: 1, convicts: byLedger,
	edits: []edit{{"server/delivery.go", "to.burn(burnedClientGone, 1)", "return"}},
}

// TestMutantsAreConvicted plays the row of each mutant with it, and wants what the row says of tmctl to be false of it.
func TestMutantsAreConvicted(t *testing.T) {
	slow(t)
	t.Run("all", func(t *testing.T) {
		for _, m := range mutants {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				convict(t, m)
			})
		}
	})
	if *update {
		writeSeconds(t)
	}
}

func convict(t *testing.T, m *mutant) {
	f := faultNamed(t, m.row)
	binary(t, m) // building them takes longer than the rest, and is not what is measured
	binary(t, nil)
	start := time.Now()
	s, r := play(t, f, m.store, m.nodes, m)
	t.Log(r.Sentence)
	switch m.convicts {
	case byProof:
		if r.ExitCode != 4 || r.Proof.Violations() == 0 {
			t.Errorf("%s is not convicted: verdict %s, exit %d; want violated", m.name, r.Verdict, r.ExitCode)
		}
	case byLedger:
		for _, n := range s.nodes {
			if books := n.books(); books == "" {
				t.Errorf("%s is not convicted: the books of %s balance", m.name, n.name)
			}
		}
	}
	convicted(m, time.Since(start))
}

func faultNamed(t *testing.T, name string) *fault {
	t.Helper()
	for _, f := range faults {
		if f.name == name {
			return f
		}
	}
	t.Fatalf("there is no fault named %q", name)
	return nil
}

// TestMutantsApply wants the text that each mutant replaces to be there, once: else it would be us who are tested.
func TestMutantsApply(t *testing.T) {
	for _, m := range mutants {
		if _, err := m.texts(); err != nil {
			t.Error(err)
		}
		faultNamed(t, m.row)
	}
}
