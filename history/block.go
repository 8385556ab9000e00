package history

import (
	"encoding/binary"
	"fmt"
	"time"
)

const (
	// blockOps is how many ops a block holds at most: enough for the columns to compress, few enough that a crash loses
	// little and a reader's buffers stay small (2 MiB).
	blockOps = 32 << 10
	// blockSpan is how much of the run a block holds at most, so that a slow run too is on disk soon.
	blockSpan = time.Second
)

// A block's body, before zstd: watermark, number of ops, the shapes, then the columns, each with its length, then the
// answers, then the keyed ops: of each its distance from the one before, and Attempt and Replayed in one word. All integers are varints, zigzag where they may be negative. Each op predicts the next one:
//
//	runs   (shape, how many ops in a row have it)…
//	call   Call − Return of the op before: on one connection the next request is sent soon after the last answer
//	took   Return − Call
//	wait   Wait
//	turno  Turno − the turno before of the same id; ops that are OK only, the others have none
//	behind Turno − Seen; for ops that are not OK, the turno before of the same id − Seen
const (
	colRuns = iota
	colCall
	colTook
	colWait
	colTurno
	colBehind
	columns
)

// A shape is all of an op that rarely changes, in one word: id, status, node, outcome, reason.
type shape uint64

func shapeOf(o *Op) shape {
	return shape(o.ID)<<32 | shape(o.Status)<<16 | shape(o.Node)<<8 | shape(o.Outcome)<<6 | shape(o.Reason)
}

func (s shape) id() uint32       { return uint32(s >> 32) }
func (s shape) outcome() Outcome { return Outcome(s >> 6 & 3) }
func (s shape) reason() Reason   { return Reason(s & 63) }

func (s shape) fill(o *Op) {
	o.ID, o.Status, o.Node = s.id(), uint16(s>>16), uint8(s>>8)
	o.Outcome, o.Reason = s.outcome(), s.reason()
}

// block gathers ops until they are worth a frame.
type block struct {
	ops       int
	watermark time.Duration
	begin     time.Duration // Return of the first op
	last      time.Duration // Return of the last
	cols      [columns][]byte

	shapes []shape
	index  map[shape]int // into shapes
	near   [256]known    // the same for those used lately: with several ids every op is of another shape than the last
	slots  []int         // by shape: where its id keeps the turno before
	slotOf map[uint32]int
	turnos []uint64
	now    shape // the run that is open: its shape, its index, its slot, its length
	at     int
	slot   int
	run    uint64

	answers []byte
	nAnswer int

	keyed     []byte
	nKeyed    int
	lastKeyed int // index of the last one
}

type known struct {
	shape shape
	at    int // index + 1
}

// add codes one op. It costs about 30 ns: this is on the path of every request of a load test.
func (b *block) add(o *Op) error {
	if s := shapeOf(o); s != b.now || b.ops == 0 {
		if err := b.turn(o, s); err != nil {
			return err
		}
	}
	b.run++
	if b.ops == 0 {
		b.begin = o.Return
	}
	b.cols[colCall] = appendZigzag(b.cols[colCall], int64(o.Call-b.last))
	b.cols[colTook] = appendZigzag(b.cols[colTook], int64(o.Return-o.Call))
	b.cols[colWait] = appendZigzag(b.cols[colWait], int64(o.Wait))
	prev := &b.turnos[b.slot]
	if o.Outcome == OK {
		b.cols[colTurno] = appendZigzag(b.cols[colTurno], int64(o.Turno-*prev))
		*prev = o.Turno
	} else if o.Turno != 0 {
		return fmt.Errorf("op sent at %v is %s but has turno %d", o.Call, o.Outcome, o.Turno)
	}
	b.cols[colBehind] = appendZigzag(b.cols[colBehind], int64(*prev-o.Seen))
	b.last = o.Return
	if o.Attempt != 0 || o.Replayed {
		b.key(o)
	}
	b.ops++
	return nil
}

// key keeps what an op says of its Idempotency-Key. Most have none.
func (b *block) key(o *Op) {
	b.keyed = binary.AppendUvarint(b.keyed, uint64(b.ops-b.lastKeyed))
	b.keyed = binary.AppendUvarint(b.keyed, keyWord(o))
	b.lastKeyed = b.ops
	b.nKeyed++
}

// keyWord is Attempt and Replayed in one word; 0 when there is nothing to say.
func keyWord(o *Op) uint64 {
	w := uint64(o.Attempt) << 1
	if o.Replayed {
		w |= 1
	}
	return w
}

// turn closes the open run and opens one of shape s.
func (b *block) turn(o *Op, s shape) error {
	if !o.Outcome.Valid() || !o.Reason.Valid() {
		return fmt.Errorf("op sent at %v has outcome %d and reason %d", o.Call, o.Outcome, o.Reason)
	}
	b.closeRun()
	near := &b.near[uint64(s)*0x9e3779b97f4a7c15>>56] // Fibonacci hashing (Knuth, TAOCP 3, 6.4)
	if near.at == 0 || near.shape != s {
		*near = known{s, b.shapeAt(s) + 1}
	}
	b.now, b.at, b.slot = s, near.at-1, b.slots[near.at-1]
	return nil
}

// shapeAt is the index of s, which it adds where it is new.
func (b *block) shapeAt(s shape) int {
	if at, ok := b.index[s]; ok {
		return at
	}
	if b.index == nil {
		b.index, b.slotOf = map[shape]int{}, map[uint32]int{}
	}
	slot, ok := b.slotOf[s.id()]
	if !ok {
		slot = len(b.turnos)
		b.slotOf[s.id()] = slot
		b.turnos = append(b.turnos, 0)
	}
	b.index[s] = len(b.shapes)
	b.shapes = append(b.shapes, s)
	b.slots = append(b.slots, slot)
	return len(b.shapes) - 1
}

func (b *block) closeRun() {
	if b.run > 0 {
		b.cols[colRuns] = binary.AppendUvarint(b.cols[colRuns], uint64(b.at))
		b.cols[colRuns] = binary.AppendUvarint(b.cols[colRuns], b.run)
		b.run = 0
	}
}

// answer keeps the first bytes of what the server sent for op i of this block.
func (b *block) answer(i int, body []byte) {
	body = body[:min(len(body), MaxAnswer)]
	b.answers = binary.AppendUvarint(b.answers, uint64(i))
	b.answers = binary.AppendUvarint(b.answers, uint64(len(body)))
	b.answers = append(b.answers, body...)
	b.nAnswer++
}

func (b *block) full() bool { return b.ops >= blockOps }

// due reports whether the block holds enough of the run's time.
func (b *block) due() bool { return b.ops > 0 && b.last-b.begin >= blockSpan }

// encode appends the block's body to dst.
func (b *block) encode(dst []byte) []byte {
	b.closeRun()
	dst = appendZigzag(dst, int64(b.watermark))
	dst = binary.AppendUvarint(dst, uint64(b.ops))
	dst = binary.AppendUvarint(dst, uint64(len(b.shapes)))
	for _, s := range b.shapes {
		dst = binary.AppendUvarint(dst, uint64(s))
	}
	for i := range b.cols {
		dst = binary.AppendUvarint(dst, uint64(len(b.cols[i])))
		dst = append(dst, b.cols[i]...)
	}
	dst = binary.AppendUvarint(dst, uint64(b.nAnswer))
	dst = append(dst, b.answers...)
	dst = binary.AppendUvarint(dst, uint64(b.nKeyed))
	return append(dst, b.keyed...)
}

// reset empties the block and keeps its buffers and its watermark.
func (b *block) reset() {
	b.ops, b.last, b.run, b.nAnswer, b.nKeyed, b.lastKeyed = 0, 0, 0, 0, 0, 0
	for i := range b.cols {
		b.cols[i] = b.cols[i][:0]
	}
	clear(b.index)
	clear(b.slotOf)
	clear(b.near[:])
	b.shapes, b.slots, b.turnos = b.shapes[:0], b.slots[:0], b.turnos[:0]
	b.answers, b.keyed = b.answers[:0], b.keyed[:0]
}

func appendZigzag(dst []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	if u < 0x80 {
		return append(dst, byte(u))
	}
	return binary.AppendUvarint(dst, u)
}
