package server

// recent is the blocks that a node received of an id while others of it were under way. Those may be smaller than what was
// received meanwhile, but must be other numbers: the store went back between two calls that were under way together if not.
type recent struct {
	blocks []span
	forgot uint64 // the largest number of those that are not kept any more
}

// span is the numbers first … last.
type span struct{ first, last uint64 }

// maxRecent bounds recent: how many blocks a call may be late by and still be told from one that was given before.
const maxRecent = 1024

func (r *recent) add(s span) {
	if n := len(r.blocks); n > 0 && r.blocks[n-1].last+1 == s.first { // as they come when no other node asks
		r.blocks[n-1].last = s.last
		return
	}
	if len(r.blocks) == maxRecent {
		r.forgot = max(r.forgot, r.blocks[0].last)
		r.blocks = r.blocks[1:]
	}
	r.blocks = append(r.blocks, s)
}

// meets reports whether a number of s was received.
func (r *recent) meets(s span) bool {
	for _, b := range r.blocks {
		if s.first <= b.last && b.first <= s.last {
			return true
		}
	}
	return false
}
