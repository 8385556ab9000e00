package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
	"github.com/turnomatico/tmctl/server/store/storetest"
)

// node is a handle as a batcher has it: it counts its calls and keeps its marks.
type node struct {
	*Store
	t     testing.TB
	seq   [slots]uint64
	marks map[string]uint64
}

// open opens a node that does not wait for others; a test that has others calls them itself.
func open(t testing.TB, url string, change ...func(*Options)) *node {
	t.Helper()
	n, err := tryOpen(t, url, change...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const (
	maxIDsOfTests = 1000
	// patienceOfTests is for machines that are busy with other tests.
	patienceOfTests = 20 * time.Second
)

func tryOpen(t testing.TB, url string, change ...func(*Options)) (*node, error) {
	t.Helper()
	o, err := Parse(url)
	if err != nil {
		return nil, err
	}
	o.patience = patienceOfTests
	o.pause = func(context.Context, time.Duration) error { return nil }
	for _, f := range change {
		f(&o)
	}
	s, err := o.Open(t.Context(), server.Bounds{IDs: maxIDsOfTests}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { s.Close() })
	return &node{Store: s, t: t, marks: map[string]uint64{}}, nil
}

// call makes the next call of slot 0.
func (n *node) call(claims ...server.Claim) *server.Call {
	n.seq[0]++
	for i := range claims {
		claims[i].Mark = n.marks[claims[i].ID]
	}
	return &server.Call{Slot: 0, Seq: n.seq[0], Claims: claims}
}

// received raises the marks.
func (n *node) received(call *server.Call) {
	for _, c := range call.Claims {
		if c.Err == nil {
			n.marks[c.ID] = max(n.marks[c.ID], c.First+c.Granted-1)
		}
	}
}

// take takes numbers of one id.
func (n *node) take(id string, count uint64) (first, granted uint64, err error) {
	call := n.call(server.Claim{ID: id, N: count})
	if err := n.Reserve(n.t.Context(), call); err != nil {
		return 0, 0, err
	}
	n.received(call)
	c := call.Claims[0]
	return c.First, c.Granted, c.Err
}

// want takes numbers of id and wants them from first.
func (n *node) want(id string, count, first uint64) {
	n.t.Helper()
	if f, g, err := n.take(id, count); f != first || g != count || err != nil {
		n.t.Errorf("Reserve(%s, %d) = %d, %d, %v; want all from %d", id, count, f, g, err, first)
	}
}

// refused takes a number of id and wants an error.
func (n *node) refused(id string, want error) {
	n.t.Helper()
	if f, g, err := n.take(id, 1); !errors.Is(err, want) {
		n.t.Errorf("Reserve(%s, 1) = %d, %d, %v; want %v", id, f, g, err, want)
	}
}

// known is what Rejoin is told.
func (n *node) known() (marks []server.Mark) {
	for id, last := range n.marks {
		marks = append(marks, server.Mark{ID: id, Last: last})
	}
	slices.SortFunc(marks, func(a, b server.Mark) int { return strings.Compare(a.ID, b.ID) })
	return marks
}

// rejoin wants what went back, as "a 3<10→0".
func (n *node) rejoin(jump uint64, want ...string) {
	n.t.Helper()
	back, err := n.Rejoin(n.t.Context(), n.known(), jump)
	if got := rollbacks(back); err != nil || !slices.Equal(got, want) {
		n.t.Errorf("Rejoin(%v, %d) = %q, %v; want %q", n.known(), jump, got, err, want)
	}
}

func rollbacks(back []server.Rollback) (texts []string) {
	for _, r := range back {
		texts = append(texts, fmt.Sprintf("%s %d<%d→%d", r.ID, r.Store, r.Last, r.To))
	}
	return texts
}

// changed wants the node to notice that Redis is another. Its connections may be dead, which it notices first.
func (n *node) changed() {
	n.t.Helper()
	err := n.asked()
	if !errors.Is(err, server.ErrChanged) {
		n.t.Errorf("Check() = %v; want ErrChanged", err)
	}
	n.refused("any", server.ErrChanged)
}

// same wants the node to find its Redis as it knows it.
func (n *node) same() {
	n.t.Helper()
	if err := n.asked(); err != nil {
		n.t.Errorf("Check() = %v; want the Redis that is known", err)
	}
}

// asked is what Check says over a connection that works.
func (n *node) asked() error {
	err := n.Check(n.t.Context())
	if err != nil && !errors.Is(err, server.ErrChanged) {
		err = n.Check(n.t.Context())
	}
	return err
}

func TestStore(t *testing.T) {
	storetest.Run(t, place(redistest.Start(t, redistest.Options{})))
}

func TestSessions(t *testing.T) {
	storetest.RunSessions(t, place(redistest.Start(t, redistest.Options{})))
}

// place makes a Redis that was emptied one for the suite of all stores.
func place(r *redistest.Server) func(t *testing.T) storetest.Place {
	return func(t *testing.T) storetest.Place {
		r.Run("FLUSHALL")
		spoil := func(_ *testing.T, id string) { r.Run("SET turno:" + id + " abc") }
		return storetest.Place{Lasts: true, Break: spoil, Open: func(t *testing.T) server.Store {
			o, err := Parse(r.URL())
			if err != nil {
				t.Fatal(err)
			}
			o.Grace, o.patience = time.Millisecond, patienceOfTests
			s, err := o.Open(t.Context(), storetest.Bounds, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}}
	}
}

// rightsOfNodes are those of the package's comment.
const rightsOfNodes = "-@all +mget +mset +get +set +exists +type +pexpire +pexpireat +sadd +scard +sismember +hget +hgetall +hset +hincrby +hdel +hexists +time +eval +evalsha +script|load"

func TestWaysIn(t *testing.T) {
	odd := "p@ss:/?#[]%&= wörd\"'\\" + "\x01"
	tests := []struct {
		name    string
		options redistest.Options
		url     func(r *redistest.Server) string
	}{
		{"a port", redistest.Options{}, (*redistest.Server).URL},
		{"a database", redistest.Options{}, func(r *redistest.Server) string { return r.URL() + "/7" }},
		{"a prefix", redistest.Options{}, func(r *redistest.Server) string { return r.URL() + "?prefix=a%25*[x]':" }},
		{"no prefix", redistest.Options{}, func(r *redistest.Server) string { return r.URL() + "?prefix=" }},
		{"a socket", redistest.Options{Unix: true}, (*redistest.Server).URL},
		{"a socket and a database", redistest.Options{Unix: true}, func(r *redistest.Server) string { return r.URL() + "?db=3" }},
		{"a password", redistest.Options{Password: "canary"}, func(r *redistest.Server) string {
			return strings.Replace(r.URL(), "//", "//:canary@", 1)
		}},
		{"TLS", redistest.Options{TLS: true}, (*redistest.Server).URL},
		{"TLS, by name", redistest.Options{TLS: true}, func(r *redistest.Server) string {
			return strings.Replace(r.URL(), "127.0.0.1", "localhost", 1)
		}},
		{"TLS with a client's certificate", redistest.Options{TLS: true, ClientCerts: true}, func(r *redistest.Server) string {
			return r.URL() + "&cert=" + url.QueryEscape(r.Certs.Client) + "&key=" + url.QueryEscape(r.Certs.ClientKey)
		}},
		{"a user with no more rights than needed", redistest.Options{Config: []string{"user app on >pw ~turno:* " + rightsOfNodes}}, func(r *redistest.Server) string {
			return strings.Replace(r.URL(), "//", "//app:pw@", 1)
		}},
		{"every character in user and password", redistest.Options{Config: []string{fmt.Sprintf("user %q on %q ~* +@all", "ü:@/", ">"+odd)}}, func(r *redistest.Server) string {
			return strings.Replace(r.URL(), "//", "//"+url.UserPassword("ü:@/", odd).String()+"@", 1)
		}},
		{"no HELLO, CLIENT and CONFIG", redistest.Options{Password: "canary", Config: []string{`rename-command HELLO ""`, `rename-command CLIENT ""`, `rename-command CONFIG ""`}},
			func(r *redistest.Server) string { return strings.Replace(r.URL(), "//", "//:canary@", 1) + "/2" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := redistest.Start(t, tt.options)
			at := tt.url(r)
			a, b := open(t, at), open(t, at)
			a.want("x", 3, 1)
			b.want("x", 2, 4)
			a.want("y", 1, 1)
			a.same()
			r.Run("SCRIPT FLUSH")
			b.changed()
			b.rejoin(0)
			b.want("x", 1, 6)
			if strings.Contains(fmt.Sprintf("%+v", b.Info()), "canary") {
				t.Errorf("Info() = %+v holds the password", b.Info())
			}
		})
	}
}

// Places in one Redis don't meet.
func TestPrefixesAreApart(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	var nodes []*node
	for _, place := range []string{"", "/1", "?prefix=", "?prefix=turno:turno:", "?prefix=other:"} {
		nodes = append(nodes, open(t, r.URL()+place))
	}
	for round := range uint64(3) {
		for _, n := range nodes {
			n.want("turno", 1, round+1)
		}
	}
	for _, n := range nodes {
		if ids := n.Info().IDs; ids != 1 {
			t.Errorf("%s has %d ids; want 1", n.Info().Name, ids)
		}
	}
	r.Run("DEL turno:#epoch")
	nodes[0].changed()
	for _, n := range nodes[1:] {
		n.same()
	}
}
