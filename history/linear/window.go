package linear

import (
	"math/bits"
	"slices"
)

const (
	pageBits = 12
	pageSize = 1 << pageBits

	// maxPages bounds the windows of all ids together: 64 Ki pages are 34 MiB, 268 million numbers in flight. Only a server
	// that jumps about gets there.
	maxPages = 64 << 10
)

// page says which of pageSize consecutive numbers were given.
type page struct {
	words [pageSize / 64]uint64
	n     int
}

// window is a sparse set of numbers: a jump by 10^15 costs one page.
type window struct {
	pool  *pagePool
	pages map[uint64]*page
	near  *page // the page that was used last
	at    uint64
}

// set adds v and reports whether it was there.
func (w *window) set(v uint64) (had bool) {
	p := w.near
	if at := v >> pageBits; p == nil || at != w.at {
		p = w.page(at)
	}
	word, bit := &p.words[v%pageSize/64], uint64(1)<<(v%64)
	if *word&bit != 0 {
		return true
	}
	*word |= bit
	p.n++
	return false
}

func (w *window) page(at uint64) *page {
	p := w.pages[at]
	if p == nil {
		if w.pages == nil {
			w.pages = map[uint64]*page{}
		}
		p = w.pool.take()
		w.pages[at] = p
	}
	w.near, w.at = p, at
	return p
}

// drain forgets the numbers first…last, which must be the lowest that the window may hold, and calls lost for each maximal
// run of them that was not set, in ascending order. It costs time by pages held, not by numbers.
func (w *window) drain(first, last uint64, lost func(first, last uint64)) {
	next := first // everything from first up to before next is dealt with
	for _, at := range w.between(first>>pageBits, last>>pageBits) {
		p := w.pages[at]
		low, high := max(first, at<<pageBits), min(last, at<<pageBits|(pageSize-1))
		if p.n < pageSize {
			next = p.scan(at<<pageBits, low, high, next, lost)
		} else {
			if next < low {
				lost(next, low-1)
			}
			next = high + 1
		}
		if high == at<<pageBits|(pageSize-1) {
			w.drop(at, p)
		}
	}
	if next <= last {
		lost(next, last)
	}
}

// scan walks low…high of a page that begins at origin; next is the first number that may be missing. It returns the same
// for what follows the page.
func (p *page) scan(origin, low, high, next uint64, lost func(first, last uint64)) uint64 {
	for i := low % pageSize / 64; i <= high%pageSize/64; i++ {
		word, at := p.words[i], origin+i*64
		if word == ^uint64(0) && next == at && high-at >= 63 && low <= at {
			next = at + 64
			continue
		}
		if at < low {
			word &= ^uint64(0) << (low - at)
		}
		if high-at < 63 {
			word &= 1<<(high-at+1) - 1
		}
		for word != 0 {
			v := at + uint64(bits.TrailingZeros64(word))
			if next < v {
				lost(next, v-1)
			}
			next = v + 1
			word &= word - 1
		}
	}
	return next
}

// between lists the pages held from lo to hi, ascending.
func (w *window) between(lo, hi uint64) []uint64 {
	found := w.pool.list[:0]
	if hi-lo < uint64(len(w.pages)) {
		for at := lo; at <= hi; at++ {
			if w.pages[at] != nil {
				found = append(found, at)
			}
		}
	} else {
		for at := range w.pages {
			if lo <= at && at <= hi {
				found = append(found, at)
			}
		}
		slices.Sort(found)
	}
	w.pool.list = found
	return found
}

func (w *window) drop(at uint64, p *page) {
	delete(w.pages, at)
	w.pool.give(p)
	if w.near == p {
		w.near = nil
	}
}

// pagePool counts the pages of all windows and lends them out again, so that a steady run allocates nothing.
type pagePool struct {
	limit, held int
	free        []*page
	list        []uint64 // between's memory
}

func (l *pagePool) over() bool { return l.held > l.limit }

func (l *pagePool) take() *page {
	l.held++
	if n := len(l.free); n > 0 {
		p := l.free[n-1]
		l.free = l.free[:n-1]
		return p
	}
	return new(page)
}

func (l *pagePool) give(p *page) {
	l.held--
	if len(l.free) < 1024 {
		*p = page{}
		l.free = append(l.free, p)
	}
}

// relieve makes room when the windows hold too many pages: it makes the lower half of each final before it is. That is
// harmless for the counts of Close, because a number that comes after all is taken out of missing again; until then
// Violations may be too large. No server that counts by one gets here.
func (c *Checker) relieve() {
	for _, k := range c.counters {
		if k == nil || len(k.win.pages) < 2 {
			continue
		}
		held := k.win.between(0, ^uint64(0)>>pageBits)
		middle := held[(len(held)-1)/2]
		k.advance(min(k.top, middle<<pageBits|(pageSize-1)))
	}
}
