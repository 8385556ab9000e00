package redis

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server/store/redistest"
)

// fakeSentinel says what a test wants, when it wants.
type fakeSentinel struct {
	listener net.Listener
	all      sync.WaitGroup
	answer   chan struct{} // closed: it answers

	mu   sync.Mutex
	says seat
}

func newFakeSentinel(t *testing.T, says seat) *fakeSentinel {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeSentinel{listener: l, answer: make(chan struct{}), says: says}
	f.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			f.all.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close() })
	return f
}

func (f *fakeSentinel) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		args, err := readCommand(in)
		if err != nil {
			return
		}
		f.mu.Lock()
		host, port, _ := strings.Cut(f.says.addr, ":")
		epoch := strconv.FormatUint(f.says.epoch, 10)
		f.mu.Unlock()
		switch strings.ToUpper(strings.Join(args[:min(2, len(args))], " ")) {
		case "SENTINEL MASTER":
			<-f.answer
			fmt.Fprintf(conn, "*2\r\n$12\r\nconfig-epoch\r\n$%d\r\n%s\r\n", len(epoch), epoch)
		case "SENTINEL GET-MASTER-ADDR-BY-NAME":
			fmt.Fprintf(conn, "*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(host), host, len(port), port)
		default:
			fmt.Fprintf(conn, "-ERR unknown command '%s'\r\n", args[0])
		}
	}
}

func readCommand(in *bufio.Reader) (args []string, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "*")))
	for range n {
		if _, err = in.ReadString('\n'); err != nil { // its length: no test sends a line break
			return nil, err
		}
		if line, err = in.ReadString('\n'); err != nil {
			return nil, err
		}
		args = append(args, strings.TrimSpace(line))
	}
	return args, err
}

// guideOf follows fakes.
func guideOf(t *testing.T, fakes ...*fakeSentinel) *sentinels {
	t.Helper()
	var hosts []string
	for _, f := range fakes {
		hosts = append(hosts, f.listener.Addr().String())
	}
	o, err := Parse("redis+sentinel://" + strings.Join(hosts, ",") + "/m")
	if err != nil {
		t.Fatal(err)
	}
	o.patience = time.Hour // nothing here is to be late by itself
	guide, err := o.follow(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guide.close)
	return guide
}

// Right after a failover the one who led it knows alone, and may be the slowest to answer.
func TestSlowestSentinelKnowsBest(t *testing.T) {
	before, after := seat{"10.0.0.1:1", 1}, seat{"10.0.0.2:2", 2}
	a, b, leader := newFakeSentinel(t, before), newFakeSentinel(t, before), newFakeSentinel(t, after)
	close(a.answer)
	close(b.answer)
	guide := guideOf(t, leader, a, b)
	heard := make(chan seat)
	go func() {
		p, err := guide.ask(t.Context())
		if err != nil {
			t.Error(err)
		}
		heard <- p
	}()
	eventually(t, "the others have answered", func() bool { return !guide.all[1].busy.Load() && !guide.all[2].busy.Load() && guide.all[0].busy.Load() })
	close(leader.answer)
	if p := <-heard; p != after {
		t.Errorf("ask() = %v; want what the slowest one says, %v", p, after)
	}
	if err := guide.moved(t.Context(), before.addr); err == nil {
		t.Error("moved() = nil for the master of before")
	}
}

// One that never answers keeps nobody, and one that is stale is not believed by those who know better.
func TestSilentSentinel(t *testing.T) {
	now := seat{"10.0.0.1:1", 5}
	a, b, silent := newFakeSentinel(t, now), newFakeSentinel(t, now), newFakeSentinel(t, now)
	close(a.answer)
	close(b.answer)
	guide := guideOf(t, silent, a, b)
	guide.within = answerWithin / 2
	for range 3 {
		if p, err := guide.ask(t.Context()); p != now || err != nil {
			t.Errorf("ask() = %v, %v; want %v", p, err, now)
		}
	}
	a.name(seat{"10.0.0.9:9", 3}) // both are stale, each in its way
	b.name(seat{"10.0.0.9:9", 4})
	if p, err := guide.ask(t.Context()); err == nil && p != now {
		t.Errorf("ask() = %v; want nobody else than %v", p, now)
	}
	close(silent.answer)
}

// name has a Sentinel name another master.
func (f *fakeSentinel) name(says seat) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says = says
}

// A master that Sentinels have replaced is left though nothing about it has changed: it may be cut off from them, and not know.
func TestReplacedMasterIsLeft(t *testing.T) {
	old, next := redistest.Start(t, redistest.Options{}), redistest.Start(t, redistest.Options{})
	var fakes []*fakeSentinel
	var hosts []string
	for range 3 {
		f := newFakeSentinel(t, seat{old.Addr(), 1})
		close(f.answer)
		fakes = append(fakes, f)
		hosts = append(hosts, f.listener.Addr().String())
	}
	n := open(t, "redis+sentinel://"+strings.Join(hosts, ",")+"/m")
	n.want("x", 5, 1)
	n.same()
	fakes[2].name(seat{next.Addr(), 2})
	n.changed()
	n.rejoin(100, "x 0<5→105")
	if at := n.life.Load().addr; at != next.Addr() {
		t.Errorf("the node is at %s; want %s", at, next.Addr())
	}
	n.want("x", 1, 106)
	n.same()
}
