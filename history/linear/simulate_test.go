package linear

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// simulation is a right server under load: connections that send, wait for their number and think, in the order of their
// clock. Its times have the noise of real ones, so that what it fills on disk is what a run fills.
type simulation struct {
	rng   *rand.Rand
	conns connHeap
	turno []uint64 // by id
	done  []uint64 // by id: the largest turno completed
}

type conn struct {
	next  time.Duration // when it does what comes next
	phase int           // send, take the number, receive
	op    history.Op
}

type connHeap []*conn

func (h connHeap) Len() int           { return len(h) }
func (h connHeap) Less(i, j int) bool { return h[i].next < h[j].next }
func (h connHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *connHeap) Push(any)          {}
func (h *connHeap) Pop() any          { return nil }

func simulate(ids, conns int) *simulation {
	s := &simulation{rng: rand.New(rand.NewPCG(1, 2)), turno: make([]uint64, ids), done: make([]uint64, ids)}
	for i := range conns {
		s.conns = append(s.conns, &conn{next: time.Duration(i) * 10 * time.Microsecond})
	}
	heap.Init(&s.conns)
	return s
}

// about is a random time around mean, with a long tail.
func (s *simulation) about(mean time.Duration) time.Duration {
	return mean/4 + time.Duration(s.rng.ExpFloat64()*float64(mean)*3/4)
}

// step lets the connection at the top of the heap do what comes next.
func (s *simulation) step(b *history.Batch) {
	switch c := s.conns[0]; c.phase {
	case 0:
		id := s.rng.IntN(len(s.turno))
		c.op = history.Op{Call: c.next, Seen: s.done[id], ID: uint32(id), Status: 200}
		c.next += s.about(150 * time.Microsecond)
	case 1:
		s.turno[c.op.ID]++
		c.op.Turno = s.turno[c.op.ID]
		c.next += s.about(150 * time.Microsecond)
	case 2:
		s.done[c.op.ID] = max(s.done[c.op.ID], c.op.Turno)
		c.op.Return = c.next
		b.Ops = append(b.Ops, c.op)
		c.next += s.about(20 * time.Microsecond)
	}
	s.conns[0].phase = (s.conns[0].phase + 1) % 3
	heap.Fix(&s.conns, 0)
}

// batch makes n ops, in the order in which they returned. The last one is larger: it waits for what is in flight.
func (s *simulation) batch(n int, last bool) (b history.Batch) {
	for len(b.Ops) < n {
		s.step(&b)
	}
	for last && s.conns[0].next < forever {
		if s.conns[0].phase > 0 {
			s.step(&b)
			continue
		}
		s.conns[0].next = forever // it sends no more
		heap.Fix(&s.conns, 0)
	}
	b.Watermark = forever
	for _, c := range s.conns {
		if c.phase > 0 {
			b.Watermark = min(b.Watermark, c.op.Call)
		} else {
			b.Watermark = min(b.Watermark, c.next)
		}
	}
	return b
}

const forever = time.Duration(1 << 62)

// load makes n ops in batches of size, with nothing in flight at the end.
func load(ids, conns, n, size int) (batches []history.Batch) {
	s := simulate(ids, conns)
	for n -= conns; n > 0; n -= size { // the last batch has as many more as there are connections, or fewer
		batches = append(batches, s.batch(min(size, n), n <= size))
	}
	return batches
}

func count(batches []history.Batch) (ops int) {
	for i := range batches {
		ops += len(batches[i].Ops)
	}
	return ops
}

// later moves a batch in time and numbers, so that few batches can stand for many.
func later(b *history.Batch, by time.Duration, turnos uint64) {
	for i := range b.Ops {
		o := &b.Ops[i]
		o.Call += by
		o.Return += by
		o.Turno += turnos
		o.Seen += turnos
	}
	b.Watermark += by
}
