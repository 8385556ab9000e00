package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// errShort is what a block whose checksum is right but whose counts don't fit each other ends with: it was made on purpose.
var errShort = errors.New("its columns don't fit its counts")

// decoder reads bodies; it keeps its memory from one to the next.
type decoder struct {
	keyless bool // of a history of version 1
	shapes  []shape
	slots   []int
	slotOf  map[uint32]int
	turnos  []uint64
}

// decode reads a body that encode wrote into batch, reusing its memory. It trusts nothing: every count is held against
// the bytes that are there before anything is allocated for it.
func (d *decoder) decode(body []byte, batch *Batch) error {
	c := cursor{b: body}
	batch.Watermark = time.Duration(c.zigzag())
	n := c.count(blockOps)
	if err := d.readShapes(&c, n); err != nil {
		return err
	}
	var cols [columns]cursor
	for i := range cols {
		cols[i].b = c.bytes(c.uvarint())
	}
	if c.bad || n > len(cols[colCall].b) {
		return errShort
	}
	batch.Ops = slices.Grow(batch.Ops[:0], n)[:n]
	if err := d.readOps(batch.Ops, &cols); err != nil {
		return err
	}
	if err := readAnswers(&c, batch); err != nil {
		return err
	}
	if err := d.readKeyed(&c, batch.Ops); err != nil {
		return err
	}
	if c.bad || c.i != len(c.b) {
		return errShort
	}
	return nil
}

func (d *decoder) readShapes(c *cursor, ops int) error {
	n := c.count(min(ops, len(c.b)))
	if d.slotOf == nil {
		d.slotOf = map[uint32]int{}
	}
	clear(d.slotOf)
	d.shapes, d.slots, d.turnos = d.shapes[:0], d.slots[:0], d.turnos[:0]
	for range n {
		s := shape(c.uvarint())
		if !s.outcome().Valid() || !s.reason().Valid() {
			return fmt.Errorf("it has outcome %d and reason %d, which this tmctl does not know", s.outcome(), s.reason())
		}
		slot, ok := d.slotOf[s.id()]
		if !ok {
			slot = len(d.turnos)
			d.slotOf[s.id()] = slot
			d.turnos = append(d.turnos, 0)
		}
		d.shapes = append(d.shapes, s)
		d.slots = append(d.slots, slot)
	}
	return nil
}

func (d *decoder) readOps(ops []Op, cols *[columns]cursor) error {
	var last time.Duration
	for done := 0; done < len(ops); {
		at, run := cols[colRuns].uvarint(), cols[colRuns].uvarint()
		if at >= uint64(len(d.shapes)) || run == 0 || run > uint64(len(ops)-done) {
			return errShort
		}
		last = readRun(ops[done:done+int(run)], cols, d.shapes[at], &d.turnos[d.slots[at]], last)
		done += int(run)
	}
	for i := range cols {
		if cols[i].bad || cols[i].i != len(cols[i].b) {
			return errShort
		}
	}
	return nil
}

// readRun reads ops of one shape; prev is the turno before of their id, last the Return of the op before.
func readRun(ops []Op, cols *[columns]cursor, s shape, prev *uint64, last time.Duration) time.Duration {
	call, took, wait, turno, behind := &cols[colCall], &cols[colTook], &cols[colWait], &cols[colTurno], &cols[colBehind]
	ok := s.outcome() == OK
	for i := range ops {
		o := &ops[i]
		s.fill(o)
		o.Call = last + time.Duration(call.zigzag())
		o.Return = o.Call + time.Duration(took.zigzag())
		o.Wait = time.Duration(wait.zigzag())
		o.Turno, o.Attempt, o.Replayed = 0, 0, false
		if ok {
			*prev += uint64(turno.zigzag())
			o.Turno = *prev
		}
		o.Seen = *prev - uint64(behind.zigzag())
		last = o.Return
	}
	return last
}

// readAnswers points batch.Answers into the body.
func readAnswers(c *cursor, batch *Batch) error {
	n := c.count(len(c.b))
	batch.Answers = batch.Answers[:0]
	for range n {
		i, size := c.uvarint(), c.uvarint()
		if i >= uint64(len(batch.Ops)) || size > MaxAnswer || c.bad {
			return errShort
		}
		batch.Answers = append(batch.Answers, Answer{Index: int(i), Body: c.bytes(size)})
	}
	return nil
}

// readKeyed fills in what ops say of their Idempotency-Keys.
func (d *decoder) readKeyed(c *cursor, ops []Op) error {
	if d.keyless {
		return nil
	}
	at := uint64(0)
	for i := range c.count(len(ops)) {
		step, word := c.uvarint(), c.uvarint()
		if c.bad || step == 0 && i > 0 || step >= uint64(len(ops))-at || word == 0 || word >= 1<<9 {
			return errShort
		}
		at += step
		ops[at].Attempt, ops[at].Replayed = uint8(word>>1), word&1 == 1
	}
	return nil
}

// cursor reads varints from b. Past the end it yields zeros and is bad for good, so that a loop needs no check inside.
type cursor struct {
	b   []byte
	i   int
	bad bool
}

func (c *cursor) uvarint() uint64 {
	if c.i < len(c.b) && c.b[c.i] < 0x80 {
		c.i++
		return uint64(c.b[c.i-1])
	}
	return c.long()
}

func (c *cursor) long() uint64 {
	v, n := binary.Uvarint(c.b[c.i:])
	if n <= 0 {
		c.bad, c.i = true, len(c.b)
		return 0
	}
	c.i += n
	return v
}

func (c *cursor) zigzag() int64 {
	u := c.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads a number of things; more than limit is bad.
func (c *cursor) count(limit int) int {
	n := c.uvarint()
	if n > uint64(limit) {
		c.bad, c.i = true, len(c.b)
		return 0
	}
	return int(n)
}

// bytes takes the next n.
func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.b)-c.i) {
		c.bad, c.i = true, len(c.b)
		return nil
	}
	c.i += int(n)
	return c.b[c.i-int(n) : c.i : c.i]
}
