package linear

import "slices"

// unknowns is a heap of the unknown ops that may explain numbers above the base, the lowest Seen first. Ops with the same
// Seen share an entry: a dead server's are all the same.
type unknowns struct {
	heap []unknownRun
	last int // where the last push went, as far as known
}

type unknownRun struct{ seen, n uint64 }

// maxUnknowns bounds the entries. Beyond it neighbours are merged, to the lower Seen: that may explain too much, never too
// little, so that no server is convicted by it.
const maxUnknowns = 256 << 10

// push adds an op. It reports whether that took more than exact bookkeeping.
func (u *unknowns) push(seen uint64) (lenient bool) {
	if u.last < len(u.heap) && u.heap[u.last].seen == seen {
		u.heap[u.last].n++
		return false
	}
	u.heap = append(u.heap, unknownRun{seen, 1})
	i := len(u.heap) - 1
	for i > 0 && u.heap[(i-1)/2].seen > u.heap[i].seen {
		u.heap[i], u.heap[(i-1)/2] = u.heap[(i-1)/2], u.heap[i]
		i = (i - 1) / 2
	}
	u.last = i
	return len(u.heap) > maxUnknowns && u.squeeze()
}

// least is the lowest Seen.
func (u *unknowns) least() (seen uint64, ok bool) {
	if len(u.heap) == 0 {
		return 0, false
	}
	return u.heap[0].seen, true
}

// below removes the ops with Seen < m and counts them.
func (u *unknowns) below(m uint64) (n uint64) {
	for len(u.heap) > 0 && u.heap[0].seen < m {
		n += u.heap[0].n
		u.pop()
	}
	return n
}

func (u *unknowns) pop() {
	h, end := u.heap, len(u.heap)-1
	h[0] = h[end]
	h = h[:end]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < end; child++ {
			if h[child].seen < h[least].seen {
				least = child
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	u.heap, u.last = h, 0
}

// squeeze halves the entries at least: equal ones are joined, and if that is not enough, pairs of neighbours.
func (u *unknowns) squeeze() (lenient bool) {
	slices.SortFunc(u.heap, func(a, b unknownRun) int {
		if a.seen < b.seen {
			return -1
		}
		return int(min(a.seen-b.seen, 1))
	})
	u.join(func(i int, r, into unknownRun) bool { return r.seen == into.seen })
	if len(u.heap) > maxUnknowns/2 {
		u.join(func(i int, r, into unknownRun) bool { return i%2 == 1 })
		lenient = true
	}
	u.last = 0
	return lenient // a sorted slice is a heap
}

// join merges entry i into the one before it where same says so.
func (u *unknowns) join(same func(i int, r, into unknownRun) bool) {
	out := u.heap[:0]
	for i, r := range u.heap {
		if n := len(out); n > 0 && same(i, r, out[n-1]) {
			out[n-1].n += r.n
			continue
		}
		out = append(out, r)
	}
	u.heap = out
}
