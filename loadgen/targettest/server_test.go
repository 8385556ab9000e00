package targettest

import (
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRefusedIsAClosedPort(t *testing.T) {
	s := Start(t, Named("refused"))
	if nc, err := net.Dial("tcp", s.Targets()[0]); err == nil {
		_ = nc.Close()
		t.Error("connected")
	}
}

func TestSlamsReadsNothing(t *testing.T) {
	s := Start(t, Named("slams"))
	c := dial(t, s)
	_, _ = io.WriteString(c.nc, "GET /turno/a HTTP/1.1\r\n\r\n") // it may be over already
	if got := c.read(); got != "eof" && got != "reset" {
		t.Errorf("got %s; want the end of the connection", got)
	}
	if s.Arrivals() != 0 {
		t.Errorf("%d arrivals; want 0", s.Arrivals())
	}
}

// A silent server has read the request, and the next one.
func TestSilentServersRead(t *testing.T) {
	consumes := map[string]uint64{"timeout-consumed": 3}
	for _, name := range []string{"hangs", "hangs-at-once", "timeout-consumed", "timeout-not-consumed"} {
		b := Named(name)
		b.After, b.Period = 0, 1
		s := Start(t, b)
		c := dial(t, s)
		c.ask("")
		c.ask("")
		c.ask("Connection: close\r\n")
		until(t, 3, s.Arrivals)
		_ = c.nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if got := c.read(); got != "timeout" || s.Issued("a") != consumes[name] {
			t.Errorf("%s: read %s, issued %d; want timeout, %d", name, got, s.Issued("a"), consumes[name])
		}
	}
}

func TestHangsAfterSoMany(t *testing.T) {
	b := Named("hangs")
	b.After = 3
	s := Start(t, b)
	c := dial(t, s)
	if got := c.nexts(3); got != "1 2 3" {
		t.Errorf("answers = %s; want 1 2 3", got)
	}
	c.ask("")
	until(t, 4, s.Arrivals)
}

func TestRedirectFollowedIsCounted(t *testing.T) {
	s := Start(t, Named("302"))
	c := dial(t, s)
	if got := c.next(); got != "302" || s.Elsewhere() != 0 {
		t.Fatalf("got %s, elsewhere %d; want 302, 0", got, s.Elsewhere())
	}
	_, _ = io.WriteString(c.nc, "GET /elsewhere/a HTTP/1.1\r\n\r\n")
	if got := c.read(); got != "404" || s.Elsewhere() != 1 {
		t.Errorf("got %s, elsewhere %d; want 404, 1", got, s.Elsewhere())
	}
}

func TestPostWithABody(t *testing.T) {
	c := dial(t, Start(t, Named("plain")))
	_, _ = io.WriteString(c.nc, "POST /turno/a?x=1 HTTP/1.1\r\ncontent-length:  5\r\n\r\nGET /")
	if got := c.read() + " " + c.next(); got != "1 2" {
		t.Errorf("answers = %s; want 1 2", got)
	}
}

func TestIdsHaveTheirOwnNumbers(t *testing.T) {
	for name, want := range map[string]string{"plain": "1 1 2", "one-counter": "1 2 3"} {
		c := dial(t, Start(t, Named(name)))
		var got []string
		for _, id := range []string{"a", "b", "a"} {
			_, _ = io.WriteString(c.nc, "GET /turno/"+id+" HTTP/1.1\r\n\r\n")
			head, _ := c.br.ReadString('{')
			body, _ := c.br.ReadString('}')
			if !strings.HasPrefix(head, "HTTP/1.1 200") || !strings.HasPrefix(body, `"id":"`+id+`"`) {
				t.Fatalf("answer %q%q", head, body)
			}
			got = append(got, body[strings.LastIndex(body, ":")+1:len(body)-1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v; want %s", name, got, want)
		}
	}
}

func TestArgsHoldTheAddress(t *testing.T) {
	s := Start(t, Named("two-nodes"))
	args := strings.Join(s.Args(), " ")
	if !strings.Contains(args, "--target "+s.URL()) || !strings.Contains(args, "--connect-to "+strings.Join(s.Targets(), ",")) {
		t.Errorf("args = %s", args)
	}
	s = Start(t, Named("tls"))
	if _, err := os.Stat(s.CACert()); err != nil || !slices.Contains(s.Args(), s.CACert()) || !strings.HasPrefix(s.URL(), "https://127.0.0.1:") {
		t.Errorf("args = %v: %v", s.Args(), err)
	}
	s.Close()
	if _, err := os.Stat(s.CACert()); err == nil {
		t.Error("the certificate's file outlives the server")
	}
}

// numbersOf drives a server from several connections at once and returns all numbers, sorted.
func numbersOf(t testing.TB, s *Server, clients, each int) []int {
	var mu sync.Mutex
	var all []int
	var wg sync.WaitGroup
	for i := range clients {
		c := dialNode(t, s, i%len(s.Targets()))
		wg.Go(func() {
			for range each {
				n, err := strconv.Atoi(c.next())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, n)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	return all
}

func TestManyAtOnce(t *testing.T) {
	for _, name := range []string{"plain", "two-nodes", "late-joiner", "goes-back", "capacity"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := Named(name)
			b.Latency, b.Period, b.Rate = time.Millisecond, 50, 20_000
			for i, n := range numbersOf(t, Start(t, b), 8, 100) {
				if n != i+1 {
					t.Fatalf("the %d-th smallest number is %d", i+1, n)
				}
			}
		})
	}
}

func TestOnlyTestsImportThis(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return nil // the compiler says it better
		}
		for _, i := range f.Imports {
			if strings.HasSuffix(strings.Trim(i.Path.Value, `"`), "loadgen/targettest") {
				t.Errorf("%s imports targettest, which is for tests only", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkPlain(b *testing.B) {
	s := Start(b, Named("plain"))
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		nc, err := net.Dial("tcp", s.Targets()[0])
		if err != nil {
			b.Error(err)
			return
		}
		defer nc.Close()
		buf := make([]byte, 1024)
		for pb.Next() {
			_, _ = io.WriteString(nc, "GET /turno/a HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := nc.Read(buf); err != nil { // one write an answer
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}
