package server

import "time"

// What can't be served in time is told so as early as that is known, and takes nothing:
//
//  1. A store that has owed answers for half of a request's time, and gave none, is silent. Whoever would have to wait for it
//     is refused at once. A pause of a fail-over is shorter, and waited for.
//  2. A silent store is asked for one request by each free slot: the newest, which can wait longest for the answer. The
//     others wait beside it for as long as they can, and take nothing if that was in vain. So a store that hangs leaves no
//     more than a few who don't know whether they took a number; and it is found to be back by the first answer.
//  3. A call is for those who have as much time left as the store needed for its last answer. The others may have better
//     luck with the next answer, which a store that just came back gives soon.
//  4. There is room for so many (room.go).

// admit puts a request of id where it waits, or says why it must not wait. Under mu.
func (b *batcher) admit(w *waiter, id []byte) (refused outcome, ok bool) {
	if b.silent(w.since) && (len(b.idle) == 0 || b.joining) {
		return silent, false
	}
	held := int64(0)
	k := b.counters[string(id)]
	if k != nil {
		held = k.held
	}
	if !b.room.enter(held) {
		return overloaded, false
	}
	if k == nil {
		k = &counter{id: string(id)}
		b.counters[k.id] = k
	}
	if len(k.waiting) == 0 {
		k.waiting = b.emptied()
		b.pending = append(b.pending, k)
	}
	k.held++
	w.of, w.room = k, b.room
	k.waiting = append(k.waiting, w)
	return answered, true
}

// silent reports whether the store has given no answer for too long. Under mu.
func (b *batcher) silent(now time.Time) bool {
	return !b.owes.IsZero() && now.Sub(b.owes) > b.timeout/2
}

// asked notes that the store owes an answer. Under mu.
func (b *batcher) asked(now time.Time) {
	if b.owes.IsZero() {
		b.owes = now
	}
}

// heard notes that the store took so long to answer. Whoever it still owes an answer it has not forgotten. Under mu.
func (b *batcher) heard(took time.Duration) {
	b.owes, b.took = time.Time{}, took
}

// forgive forgets what a store that nobody asks any more never answered. Under mu.
func (b *batcher) forgive() {
	if len(b.idle) == len(b.slots) && !b.joining {
		b.owes = time.Time{}
	}
}

// need is how much time a request must have left to be part of a call. Under mu.
func (b *batcher) need(now time.Time) time.Duration {
	if b.silent(now) {
		return b.timeout + 1 // as nobody has
	}
	return b.took
}

// inTime splits those who wait, in order of arrival, into those who have too little time left for a call and the others.
func inTime(waiters []*waiter, last time.Time) (late, rest []*waiter) {
	n := 0
	for n < len(waiters) && waiters[n].since.Before(last) {
		n++
	}
	return waiters[:n:n], waiters[n:]
}

// newest takes the request that came last, of the id whose requests began to wait last, out of those who wait.
// Somebody does. Under mu.
func (b *batcher) newest() *waiter {
	at := len(b.pending) - 1
	k := b.pending[at]
	n := len(k.waiting) - 1
	w := k.waiting[n]
	k.waiting[n] = nil
	if k.waiting = k.waiting[:n]; n == 0 {
		k.waiting, b.pending = nil, b.pending[:at]
	}
	return w
}
