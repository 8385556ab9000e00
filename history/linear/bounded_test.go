package linear

import (
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// heapLimit is what the Checker may hold, whatever the server does.
const heapLimit = 64 << 20

// heapAbove is how much more the heap holds than base.
func heapAbove(base uint64) uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc - min(base, m.HeapAlloc)
}

// bounded makes n ops one at a time, in batches of 1000, and watches the heap. Each op is in flight with 63 others.
func bounded(t *testing.T, cfg Config, n int, next func(i int, o *history.Op)) history.Proof {
	t.Helper()
	b := history.Batch{Ops: make([]history.Op, 1000)}
	before, most := heapAbove(0), uint64(0)
	c := New(cfg)
	for i := 0; i < n; i++ {
		o := &b.Ops[i%1000]
		*o = history.Op{Call: time.Duration(i), Return: time.Duration(i + 64), Status: 200}
		next(i, o)
		if i%1000 == 999 {
			b.Watermark = time.Duration(i)
			c.Add(b)
		}
		if i%(n/8) == 0 {
			most = max(most, heapAbove(before))
		}
	}
	most = max(most, heapAbove(before))
	p := c.Close()
	if most > heapLimit {
		t.Errorf("the Checker held %d MiB; want at most %d", most>>20, heapLimit>>20)
	}
	t.Logf("%d ops, %d violations, %.1f MiB", n, p.Violations(), float64(most)/(1<<20))
	if len(p.Findings) > history.MaxFindings {
		t.Errorf("%d findings; want at most %d", len(p.Findings), history.MaxFindings)
	}
	return p
}

var fresh = Config{IDs: []string{"grupo1"}, Fresh: true, Exclusive: true}

// TestBoundedOnBadServers lets a bad server go on: --keep-going must not fill the memory.
func TestBoundedOnBadServers(t *testing.T) {
	n := 2_000_000
	if testing.Short() || raceDetector {
		n = 100_000
	}
	var seen uint64
	rng := rand.New(rand.NewPCG(1, 5))
	tests := []struct {
		name string
		next func(i int, o *history.Op)
	}{
		{"random numbers", func(i int, o *history.Op) {
			o.Seen, o.Turno = seen, 1+rng.Uint64N(history.MaxTurno)
			seen = max(seen, o.Turno)
		}},
		{"random numbers while one request hangs", func(i int, o *history.Op) {
			o.Turno = 1 + rng.Uint64N(history.MaxTurno)
			o.Return = 1 << 40
		}},
		{"a restart from 1, over and over", func(i int, o *history.Op) {
			o.Turno = uint64(i%100_000) + 1
			o.Seen = uint64(min(i, 99_999))
		}},
		{"jumps", func(i int, o *history.Op) { o.Turno, o.Seen = uint64(i+1)*1e9, uint64(max(0, i-63))*1e9 }},
		{"every other number", func(i int, o *history.Op) { o.Turno, o.Seen = uint64(i+1)*2, uint64(max(0, i-63))*2 }},
		{"dead", func(i int, o *history.Op) { o.Outcome, o.Reason = history.Unknown, history.Reset }},
		{"dying, every second answer lost", func(i int, o *history.Op) {
			if o.Seen = uint64(max(0, i-63)); i%2 == 0 {
				o.Outcome, o.Reason = history.Unknown, history.Reset
			} else {
				o.Turno = uint64(i + 1)
			}
		}},
		{"lost answers to a client that never completes, with all that it could have seen", func(i int, o *history.Op) {
			o.Outcome, o.Reason, o.Seen = history.Unknown, history.Reset, uint64(i)
		}},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.name, ",", ""), func(t *testing.T) { seen = 0; bounded(t, fresh, n, tt.next) })
	}
}

// TestBoundedDeclarations lets a server jump all the time and declare every jump, as far as declarations are kept.
func TestBoundedDeclarations(t *testing.T) {
	n := uint64(2_000_000)
	if testing.Short() || raceDetector {
		n = 100_000
	}
	const by, every = 1_000_000, 100
	turno := func(i uint64) uint64 { return i + 1 + i/every*by }
	before := heapAbove(0)
	c := New(fresh)
	b := history.Batch{Ops: make([]history.Op, every)}
	for i := range n {
		o := &b.Ops[i%every]
		*o = history.Op{Call: time.Duration(i), Return: time.Duration(i + 64), Turno: turno(i), Status: 200}
		if i >= 65 {
			o.Seen = turno(i - 65)
		}
		if i%every < every-1 {
			continue
		}
		b.Watermark = time.Duration(i)
		c.Add(b)
		if jumped := i/every + 1; jumped <= maxSpans {
			c.Declare(history.Range{ID: "grupo1", First: turno(i) + 1, Last: turno(i) + by})
			c.Declare(history.Range{ID: "grupo1", First: turno(i) + 1, Last: turno(i) + by})
		}
	}
	held := heapAbove(before)
	p := c.Close()
	if want := (counts{ops: n, declared: (n/every - 1) * by}); countsOf(p) != want || held > heapLimit {
		t.Errorf("Close() = %+v, %d MiB held; want %+v", p, held>>20, want)
	}
	t.Logf("%d declared, %.1f MiB", p.Declared, float64(held)/(1<<20))
}

// TestBoundedBurned holds a long run with one per cent lost answers to exact counts, beyond the missing numbers kept.
func TestBoundedBurned(t *testing.T) {
	n := uint64(4_000_000)
	if testing.Short() || raceDetector {
		n = 200_000
	}
	p := bounded(t, fresh, int(n), func(i int, o *history.Op) {
		if o.Seen = uint64(max(0, i-64)); i%100 == 50 {
			o.Outcome, o.Reason = history.Unknown, history.TimedOut
		} else {
			o.Turno = uint64(i + 1)
		}
	})
	if want := (counts{ops: n - n/100, unknown: n / 100, burned: n / 100}); countsOf(p) != want || p.Linearizable == nil || !*p.Linearizable {
		t.Errorf("Close() = %+v; want %+v, linearizable", p, want)
	}
}

// period is a stretch of a right server's run that can follow itself: see later.
func period() (batches []history.Batch, length time.Duration, turnos uint64) {
	batches = load(1, 64, 100_000, 512)
	last := &batches[len(batches)-1]
	length = last.Ops[len(last.Ops)-1].Return + 1
	last.Watermark = length
	return batches, length, uint64(count(batches))
}

// TestBoundedFile records ten million ops and proves them while they are read: neither may hold more than blocks, and an
// op may not take more than 12 bytes on disk.
func TestBoundedFile(t *testing.T) {
	periods := 101
	if testing.Short() || raceDetector {
		periods = 5
	}
	before, most := heapAbove(0), uint64(0)
	out, in := io.Pipe()
	size := make(chan int)
	var turnos uint64
	go func() {
		batches, length, n := period()
		turnos = n
		w := counted{w: in}
		h, err := history.NewWriter(&w)
		for k := range periods {
			for i := range batches {
				if k > 0 {
					later(&batches[i], length, n)
				}
				err = errors.Join(err, h.Add(batches[i]))
			}
		}
		in.CloseWithError(errors.Join(err, h.Close()))
		size <- w.n
	}()
	r, err := history.NewReader(out)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := New(fresh)
	for b, err := range r.Batches() {
		if err != nil {
			t.Fatal(err)
		}
		if c.Add(b); r.Ops()%(1<<20) == 0 {
			most = max(most, heapAbove(before))
		}
	}
	bytes, p := <-size, c.Close()
	if ops := turnos * uint64(periods); p.Ops != ops || p.Violations() > 0 || r.Torn() != "" {
		t.Errorf("Close() = %+v, torn %q; want %d ops, no violation", p, r.Torn(), ops)
	}
	if perOp := float64(bytes) / float64(p.Ops); perOp > 12 || most > heapLimit {
		t.Errorf("%.1f bytes/op, %d MiB held; want at most 12 and %d", perOp, most>>20, heapLimit>>20)
	} else {
		t.Logf("%d ops, %.2f bytes/op, %.1f MiB with the ops that are recorded", p.Ops, perOp, float64(most)/(1<<20))
	}
}

// counted counts the bytes written to w.
type counted struct {
	w io.Writer
	n int
}

func (c *counted) Write(b []byte) (int, error) {
	c.n += len(b)
	return c.w.Write(b)
}

// TestHundredMillionOps repeats a period of a right server's run until it has made as many.
func TestHundredMillionOps(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("takes seconds; not with -short or -race")
	}
	const periods = 1001
	batches, length, turnos := period()
	before, most := heapAbove(0), uint64(0)
	c := New(fresh)
	began := time.Now()
	for k := range periods {
		for i := range batches {
			if k > 0 {
				later(&batches[i], length, turnos)
			}
			c.Add(batches[i])
		}
		if k%100 == 0 {
			most = max(most, heapAbove(before))
		}
	}
	took := time.Since(began)
	p := c.Close()
	if most > heapLimit {
		t.Errorf("the Checker held %d MiB; want at most %d", most>>20, heapLimit>>20)
	}
	if p.Ops != turnos*periods || p.Violations() > 0 || p.Linearizable == nil || !*p.Linearizable {
		t.Errorf("Close() = %+v; want %d ops, linearizable", p, turnos*periods)
	}
	t.Logf("%d ops in %v: %.1f M/s, %.2f MiB beside the ops", p.Ops, took.Round(time.Millisecond), float64(p.Ops)/took.Seconds()/1e6,
		float64(most)/(1<<20))
}
