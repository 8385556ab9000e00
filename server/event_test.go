package server_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// recorded is a journal in memory.
type recorded struct {
	mu     sync.Mutex
	events []server.Event
}

var _ server.Recorder = (*recorded)(nil)

func (r *recorded) Record(e server.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *recorded) Dropped() uint64 { return 3 }

// kinds are those of all events so far.
func (r *recorded) kinds() string {
	var all []string
	for _, e := range r.all() {
		all = append(all, e.Kind)
	}
	return strings.Join(all, " ")
}

func (r *recorded) all() []server.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// texts are what is said of a kind.
func (r *recorded) texts(kind string) (all []string) {
	for _, e := range r.all() {
		if e.Kind == kind {
			all = append(all, e.Text)
		}
	}
	return all
}

// A life of a node, and its ledger at the end.
func TestEventsOfALife(t *testing.T) {
	j := new(recorded)
	r := run(t, memory.New(server.DefaultBounds()), func(c *server.Config) { c.Journal, c.Version, c.PID = j, "v9", 42 })
	for range 3 {
		resp, err := http.DefaultTransport.(*http.Transport).Clone().RoundTrip(request1(t, r.Addr()))
		if err != nil {
			t.Skipf("over TLS the transport trusts nobody: %v", err)
		}
		_ = resp.Body.Close()
	}
	if lost := r.snapshot().Lost["journal"]; lost != 3 {
		t.Errorf("the snapshot says %d events were lost; want 3", lost)
	}
	if n := value(r.metrics(), "turno_telemetry_lost_total", "journal"); n != 3 {
		t.Errorf("turno_telemetry_lost_total{journal} = %v; want 3", n)
	}
	r.end()
	got := strings.ReplaceAll(j.kinds(), "certificate.loaded ", "")
	expect(t, "the events", got, "node.started store.opened node.ready node.draining node.stopped")
	events := j.all()
	last := events[len(events)-1]
	if l, ok := last.Data["ledger"].(api.Ledger); !ok || l.Issued != 3 || l.Delivered != 3 || !strings.Contains(last.Text, "of 3 numbers issued 3 were delivered, 0 burned, 0 are unknown") {
		t.Errorf("stopped with %q, %+v; want 3 issued and delivered", last.Text, last.Data)
	}
	for i, e := range events {
		if e.Node != r.Addr() || e.Text == "" || e.At.IsZero() || e.At.Location() != time.UTC || !slices.Contains(server.EventKinds, e.Kind) || i > 0 && e.At.Before(events[i-1].At) {
			t.Errorf("event %d is %+v", i, e)
		}
	}
}

func request1(t *testing.T, addr string) *http.Request {
	t.Helper()
	req, err := http.NewRequest("POST", "http://"+addr+"/turno/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	return req
}

// What is told of ids that went back: what was seen and what was done, with the numbers, and of many no more than some.
func TestEventsOfAStoreThatWentBack(t *testing.T) {
	tests := []struct {
		policy, want string
		say          []string
	}{
		{server.OnRollbackStop, "id.went_back id.stopped", []string{"a: the store gave a block that this node had received, or a smaller one; the largest number was 10",
			"a is stopped: the store knows 5, and 10 was given; it goes on when the counter is moved (tmctl counters set a 10)"}},
		{server.OnRollbackJump, "id.went_back id.jumped range.declared", []string{"a jumped to 1000010: the store knew 5, and 10 was given",
			"a: 1000000 numbers declared skipped, from 11 to 1000010"}},
	}
	for _, tt := range tests {
		bubble(t, func(t *testing.T) {
			j := new(recorded)
			f := newFickle()
			n := newNode(t, f.open(0), func(c *server.Config) { c.OnRollback, c.Journal = tt.policy, j })
			n.asks(repeat("a", 10)...)
			f.set("a", 4)
			n.asks("a", "a")
			expect(t, tt.policy, j.kinds(), tt.want)
			for _, say := range tt.say {
				if !slices.ContainsFunc(j.all(), func(e server.Event) bool { return strings.HasPrefix(e.Text, say) }) {
					t.Errorf("%s: told %+v; want %q", tt.policy, j.all(), say)
				}
			}
		})
	}
}

func TestEventsOfARejoin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j := new(recorded)
		f := newFickle()
		n := newNode(t, f.open(0), func(c *server.Config) { c.OnRollback, c.Journal = server.OnRollbackJump, j })
		empty := f.copy()
		ids := manyIDs(200)
		n.asks(ids...)
		f.restore(empty, false)
		time.Sleep(time.Second)
		synctest.Wait()
		told := len(j.texts(server.EventJumped))
		if told != server.MaxTold+1 || j.texts(server.EventJumped)[told-1] != fmt.Sprintf("and %d more ids", 200-server.MaxTold) {
			t.Errorf("%d events of 200 ids that jumped; want %d, and one about the others", told, server.MaxTold)
		}
		expect(t, "changed", len(j.texts(server.EventStoreChanged)), "1")
		rejoined := j.texts(server.EventStoreRejoined)
		if len(rejoined) != 1 || !strings.Contains(rejoined[0], "200 ids had gone back") {
			t.Errorf("rejoined: %q; want one, of 200 ids", rejoined)
		}
	})
}

func manyIDs(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint("id", i))
	}
	return ids
}

// away is a store that can't be reached at times.
type away struct {
	*handle
	gone atomic.Bool
}

func (a *away) Check(ctx context.Context) error {
	if a.gone.Load() {
		return server.ErrUnavailable
	}
	return a.handle.Check(ctx)
}

// A store that can't be reached is one event while it lasts, also if only the node's own checks notice.
func TestEventsOfAStoreThatIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j := new(recorded)
		h := &away{handle: newFickle().open(0)}
		n := newNode(t, h, func(c *server.Config) { c.Journal = j })
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		n.Watch(ctx)
		time.Sleep(time.Minute)
		expect(t, "while it is there", j.kinds(), "")
		h.gone.Store(true)
		time.Sleep(time.Minute)
		expect(t, "while it is away", j.kinds(), "store.unavailable")
		expect(t, "it says", j.texts(server.EventStoreUnavailable), "[the store fails: the store could not be reached]")
		h.gone.Store(false)
		time.Sleep(time.Minute)
		expect(t, "when it is back", j.kinds(), "store.unavailable store.available")
		expect(t, "the next failure is told without an old error", n.Trouble(), "no answer in time")
		if said := j.texts(server.EventStoreAvailable)[0]; !strings.HasPrefix(said, "the store answers again, after 1m0") {
			t.Errorf("it says %q; want after 1m", said)
		}
	})
}
