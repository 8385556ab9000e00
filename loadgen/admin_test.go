package loadgen

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

func TestParseAdmins(t *testing.T) {
	tests := []struct{ list, want, err string }{
		{"", "[]", ""},
		{"127.0.0.1:7018", "[http://127.0.0.1:7018]", ""},
		{"http://a:1, https://b:2/admin ,c:3,", "[http://a:1 https://b:2/admin http://c:3]", ""},
		{"http://a:1,a:1", "", "admin http://a:1 is given twice"},
		{"http://bob:secret@a:1", "", "want a URL without a user"},
		{"http://bob:sec%ret@a:1", "", "want a URL without a user"},
		{"http://", "", "want a URL"},
	}
	for _, tt := range tests {
		got, err := parseAdmins(tt.list)
		if tt.err == "" && (err != nil || fmt.Sprint(got) != tt.want) {
			t.Errorf("parseAdmins(%q) = %v, %v; want %s", tt.list, got, err, tt.want)
		}
		if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "ret@")) {
			t.Errorf("parseAdmins(%q): %v; want %q", tt.list, err, tt.err)
		}
	}
}

func TestAskNodes(t *testing.T) {
	tests := []struct {
		name, answer, err string
		status            int
	}{
		{name: "a snapshot", answer: `{"name":"n1","pid":7,"uptime_ns":3,"ledger":{"issued":5},"declared":[{"id":"a","first":3,"last":9}],"store_warnings":["x"]}`},
		{name: "nothing declared", answer: `{"name":"n1","declared":null}`},
		{name: "another page", answer: "<html>", err: "not a snapshot"},
		{name: "no page", answer: "{}", status: 404, err: "404 Not Found"},
		{name: "an endless page", answer: `{"name":"` + strings.Repeat("x", maxSnapshot) + `"}`, err: "not a snapshot"},
		{name: "a range backwards", answer: `{"declared":[{"id":"a","first":9,"last":3}]}`, err: "it declares numbers that are none: 9 to 3"},
		{name: "a range from 0", answer: `{"declared":[{"id":"a","first":0,"last":3}]}`, err: "it declares numbers that are none: 0 to 3"},
		{name: "a range beyond the last number", answer: `{"declared":[{"id":"a","first":1,"last":9007199254740992}]}`, err: "it declares numbers that are none"},
		{name: "a number that is none", answer: `{"declared":[{"id":"a","first":-1,"last":3}]}`, err: "not a snapshot"},
	}
	var admins []string
	for _, tt := range tests {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != api.SnapshotPath {
				t.Errorf("%s asked for", r.URL.Path)
			}
			if tt.status != 0 {
				w.WriteHeader(tt.status)
			}
			fmt.Fprint(w, tt.answer)
		}))
		defer srv.Close()
		admins = append(admins, srv.URL)
	}
	p := Plan{admins: admins}
	p.Timeout = 30 * time.Second
	looks := AskNodes(t.Context(), &p)
	for i, tt := range tests {
		l := &looks[i]
		if tt.err == "" && l.Err != nil || tt.err != "" && (l.Err == nil || !strings.Contains(l.Err.Error(), tt.err)) {
			t.Errorf("%s: %v; want %q", tt.name, l.Err, tt.err)
		}
		if l.Admin != admins[i] || l.Ended.Before(l.Began) || l.Began.IsZero() {
			t.Errorf("%s: asked %s from %s to %s", tt.name, l.Admin, l.Began, l.Ended)
		}
	}
	if got := fmt.Sprint(looks[0].Ranges()); got != "[{a 3 9}]" {
		t.Errorf("Ranges() = %s; want [{a 3 9}]", got)
	}
	if got := TargetOf(&looks[0]); got.Admin != admins[0] || got.Name != "n1" || len(got.Warnings) != 1 {
		t.Errorf("TargetOf() = %+v", got)
	}
}

// A node that hangs is given up after a while, and keeps nobody else's answer.
func TestAskNodesGivesUp(t *testing.T) {
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hangs.Close()
	defer close(release)
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"name":"n2"}`) }))
	defer answers.Close()
	p := Plan{admins: []string{hangs.URL, answers.URL}}
	p.Timeout = 50 * time.Millisecond
	for range 20 { // the second may be late, too, on a busy machine
		looks := AskNodes(t.Context(), &p)
		if looks[0].Err == nil {
			t.Fatal("the node that hangs answered")
		}
		if looks[1].Name == "n2" {
			return
		}
	}
	t.Error("the node that answers was never heard")
}

func completed(n uint64) *history.Proof { return &history.Proof{Ops: n, Exclusive: true} }

func TestCompareBooks(t *testing.T) {
	at := time.Unix(1000, 0)
	look := func(after time.Duration, l api.Ledger) Look {
		return Look{Admin: "http://n1:7018", Began: at.Add(after), Ended: at.Add(after),
			Snapshot: api.Snapshot{Name: "n1:7017", PID: 7, Uptime: int64(time.Hour + after), Ledger: l}}
	}
	before := look(0, api.Ledger{Issued: 100, Delivered: 90, Burned: map[string]uint64{"late": 9}, InFlight: 1})
	right := look(time.Minute, api.Ledger{Issued: 1110, Delivered: 1090, Burned: map[string]uint64{"late": 10, "client_gone": 3}, Unknown: 7})
	with := func(change func(l *Look)) Look {
		l := right
		change(&l)
		return l
	}
	tests := []struct {
		name      string
		after     Look
		completed uint64
		shared    bool
		sessions  *history.Sessions
		want      string // the remark; "" = none
		ledger    bool
		wrong     bool
	}{
		{name: "all was delivered", after: right, completed: 1000, ledger: true},
		{name: "more was delivered, of other ids or lost on the way", after: right, completed: 10, ledger: true},
		{name: "the client had more than the books", after: right, completed: 1001, ledger: true, wrong: true,
			want: "the nodes' books contradict the client: they delivered 1000 numbers during the run, but 1001 requests completed; does --admin name every node?"},
		{name: "the same, of ids that others use", after: right, completed: 1001, shared: true, ledger: true},
		{name: "they do not add up", after: with(func(l *Look) { l.Ledger.Issued = 1111 }), completed: 1000, ledger: true, wrong: true,
			want: "the books of n1:7017 (http://n1:7018) do not add up: 1111 numbers issued, but 1090 delivered + 13 burned + 7 unknown + 0 in flight = 1110"},
		{name: "no answer", after: with(func(l *Look) { l.Err = fmt.Errorf("no route") }), completed: 5000, want: "did not answer at the end of the run (no route)"},
		{name: "another process", after: with(func(l *Look) { l.PID = 8 }), completed: 5000, want: "was restarted"},
		{name: "a younger process of the same number", after: with(func(l *Look) { l.Uptime = int64(30 * time.Second) }), completed: 5000, want: "was restarted"},
		{name: "one that was young already", after: with(func(l *Look) { l.Uptime = int64(time.Hour + 50*time.Second) }), completed: 5000, want: "was restarted"},
		{name: "a clock that is a little slow", after: with(func(l *Look) { l.Uptime -= int64(time.Second) }), completed: 1000, ledger: true},
		{name: "ten came by replays alone", after: right, completed: 1010, sessions: &history.Sessions{Recovered: 10, Replays: 30}, ledger: true},
		{name: "eleven more than delivered, ten of them by replays alone", after: right, completed: 1011, sessions: &history.Sessions{Recovered: 10}, ledger: true, wrong: true,
			want: "they delivered 1000 numbers during the run, but 1001 requests completed"},
		{name: "replays are counted", after: with(func(l *Look) { l.Requests = map[string]uint64{"ok": 1000, "replayed": 50} }), completed: 1000,
			sessions: &history.Sessions{Replays: 50}, ledger: true},
		{name: "more replays than are counted", after: with(func(l *Look) { l.Requests = map[string]uint64{"ok": 1000, "replayed": 50} }), completed: 1000,
			sessions: &history.Sessions{Replays: 51}, ledger: true, wrong: true, want: "they count 50 replays during the run, but 51 answers were marked as such"},
		{name: "replays are delivered and issued", after: with(func(l *Look) {
			l.Ledger.Delivered, l.Ledger.Issued = l.Ledger.Delivered+50, l.Ledger.Issued+50
			l.Requests = map[string]uint64{"ok": 1000, "replayed": 50}
		}), completed: 1000, sessions: &history.Sessions{Replays: 50}, ledger: true, wrong: true,
			want: "do not add up: 1050 numbers were delivered during the run, but only 1000 requests were answered with a new one; are replays among them?"},
		{name: "books that went back", after: with(func(l *Look) { l.Ledger = api.Ledger{Issued: 5, Delivered: 5} }), completed: 5000, want: "went back"},
	}
	for _, tt := range tests {
		b := CompareBooks([]Look{before}, []Look{tt.after}, &history.Proof{Ops: tt.completed, Exclusive: !tt.shared, Sessions: tt.sessions})
		said := strings.Join(b.Remarks, "\n")
		if tt.want == "" && said != "" || !strings.Contains(said, tt.want) || len(b.Remarks) > 1 || b.Wrong != tt.wrong || (b.Nodes[0] != nil) != tt.ledger {
			t.Errorf("CompareBooks(%s) = %+v; want %q, a ledger: %v, wrong: %v", tt.name, b, tt.want, tt.ledger, tt.wrong)
		}
	}
	b := CompareBooks([]Look{before}, []Look{right}, completed(1000))
	if want := (history.Ledger{Issued: 1010, Delivered: 1000, Burned: 4, Unknown: 7}); *b.Nodes[0] != want {
		t.Errorf("gained %+v; want %+v", *b.Nodes[0], want)
	}
	if b := CompareBooks(nil, nil, completed(1000)); b.Wrong || len(b.Remarks) > 0 {
		t.Errorf("CompareBooks(no nodes) = %+v; want nothing", b)
	}
	// Two nodes deliver together what the client completed.
	if b := CompareBooks([]Look{before, before}, []Look{right, right}, completed(2000)); len(b.Remarks) > 0 || len(b.Nodes) != 2 {
		t.Errorf("CompareBooks(two nodes) = %+v; want no remark", b)
	}
}

// A run that was ended by numbers which were declared only later proves nothing either way.
func TestViolationThatWasWithdrawn(t *testing.T) {
	yes := true
	right := history.Proof{Ops: 1000, IDs: 1, Declared: 10, Exclusive: true, Linearizable: &yes}
	ended := []history.Step{{Phase: history.Fixed, Limit: history.InvariantViolated}}
	for _, o := range []*Outcome{
		{Steps: ended},
		{Steps: ended, MaxRate: &history.MaxRate{Pass: 1000, Reason: history.InvariantViolated}},
	} {
		r := Conclude(&Plan{}, o, right)
		if r.Verdict != history.Inconclusive || r.ExitCode != ExitInconclusive || !strings.Contains(strings.Join(r.Remarks, "\n"), "declared skipped only later") {
			t.Errorf("Conclude(%+v) = %s, exit %d, remarks %q; want it inconclusive, with a remark", o, r.Verdict, r.ExitCode, r.Remarks)
		}
	}
}
