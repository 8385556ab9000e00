package linear

import (
	"slices"
	"sort"
)

// spans is a set of numbers, as ascending ranges that do not touch. The nil *spans is the empty set.
type spans struct{ all []span }

type span struct{ first, last uint64 }

// find is the first span that ends at v or above.
func (s *spans) find(v uint64) int {
	return sort.Search(len(s.all), func(i int) bool { return s.all[i].last >= v })
}

// add makes first…last part of the set, first ≥ 1. It returns by how many spans the set has grown.
func (s *spans) add(first, last uint64) int {
	i := s.find(first - 1) // one that ends just below first touches it
	j := i
	for j < len(s.all) && s.all[j].first <= last+1 {
		j++
	}
	if j > i {
		first, last = min(first, s.all[i].first), max(last, s.all[j-1].last)
	}
	before := len(s.all)
	s.all = slices.Replace(s.all, i, j, span{first, last})
	return len(s.all) - before
}

// next is the first stretch of first…last that is in the set; lo > last when there is none.
func (s *spans) next(first, last uint64) (lo, hi uint64) {
	if s != nil {
		if i := s.find(first); i < len(s.all) && s.all[i].first <= last {
			return max(first, s.all[i].first), min(last, s.all[i].last)
		}
	}
	return last + 1, last
}

// within is how many numbers of first…last are in the set.
func (s *spans) within(first, last uint64) (n uint64) {
	for first <= last {
		lo, hi := s.next(first, last)
		if lo > last {
			break
		}
		n += hi - lo + 1
		first = hi + 1
	}
	return n
}
