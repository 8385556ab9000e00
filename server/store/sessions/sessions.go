// Package sessions is the numbers that keys have (server.Key), in the memory of a store that needs nobody else for it. Start
// with [Table].
package sessions

import (
	"slices"

	"github.com/turnomatico/tmctl/server"
)

// Table is the numbers that keys have. A key is forgotten when its lifetime is over and never before. It is not safe for
// concurrent use. Times are milliseconds of any clock.
type Table struct {
	max     int
	ttl     int64
	turnos  map[string]uint64
	queue   []expiry // by time: all live equally long
	expired int      // of queue, at its beginning
}

// expiry is when a key's lifetime is over.
type expiry struct {
	at  int64
	key string
}

// Entry is what a table holds of one key.
type Entry struct {
	ID, Key string
	Turno   uint64
	Expires int64
}

// New returns an empty table with the bounds of a store.
func New(b server.Bounds) *Table {
	return &Table{max: b.Sessions, ttl: b.SessionTTL.Milliseconds(), turnos: map[string]uint64{}}
}

// name is one text for both: no id holds a NUL.
func name(id, key string) string { return id + "\x00" + key }

// Len is how many keys have a number at a time.
func (t *Table) Len(now int64) int {
	t.expire(now)
	return len(t.turnos)
}

// Get is the number that a key has at a time; 0 for none.
func (t *Table) Get(now int64, id, key string) uint64 {
	t.expire(now)
	return t.turnos[name(id, key)]
}

// Put gives a key its number. A key that is put again keeps its first number.
func (t *Table) Put(e Entry) {
	n := name(e.ID, e.Key)
	if _, ok := t.turnos[n]; ok {
		return
	}
	t.turnos[n] = e.Turno
	if last := len(t.queue) - 1; last >= t.expired {
		e.Expires = max(e.Expires, t.queue[last].at) // the clock went back: it lives a little longer
	}
	t.queue = append(t.queue, expiry{e.Expires, n})
}

// expire forgets what is over.
func (t *Table) expire(now int64) {
	for t.expired < len(t.queue) && t.queue[t.expired].at <= now {
		delete(t.turnos, t.queue[t.expired].key)
		t.queue[t.expired] = expiry{}
		t.expired++
	}
	if t.expired > 1024 && t.expired > len(t.queue)/2 {
		t.queue = slices.Clone(t.queue[t.expired:])
		t.expired = 0
	}
}

// Draft is what a call will change in a table. Nothing of it is in the table before Commit.
type Draft struct {
	t     *Table
	now   int64
	Fresh []Entry // keys that got a number
}

// Begin returns an empty draft.
func (t *Table) Begin(now int64) *Draft {
	t.expire(now)
	return &Draft{t: t, now: now}
}

// Settle answers a claim. take takes n ≥ 1 numbers of its id, or what is left, with the errors of a claim.
func (d *Draft) Settle(c *server.Claim, take func(n uint64) (first, granted uint64, err error)) {
	c.First, c.Granted, c.Err = 0, 0, nil
	want, room := c.N, d.t.max-len(d.t.turnos)-len(d.Fresh)
	for i := range c.Keys {
		k := &c.Keys[i]
		k.Turno, k.Err = d.t.turnos[name(c.ID, k.Name)], nil
		switch k.Replayed = k.Turno != 0; {
		case k.Replayed:
		case room > 0:
			room--
			want++
		default:
			k.Err = server.ErrSessionsFull
		}
	}
	if want > 0 {
		c.First, c.Granted, c.Err = take(want)
	}
	next, end := c.First+c.N, c.First+c.Granted
	for i := range c.Keys {
		k := &c.Keys[i]
		switch {
		case k.Replayed || k.Err != nil:
		case next >= end:
			k.Err = server.ErrExhausted
		default:
			k.Turno = next
			next++
			d.Fresh = append(d.Fresh, Entry{ID: c.ID, Key: k.Name, Turno: k.Turno, Expires: d.now + d.t.ttl})
		}
	}
}

// Commit puts the draft into its table.
func (d *Draft) Commit() {
	for _, e := range d.Fresh {
		d.t.Put(e)
	}
}
