package linear

import (
	"slices"
	"sort"
)

// missing keeps the final numbers that nobody was given, and gives as many as possible to unknown ops: condition (3).
//
// An unknown op p can explain any m > L(p), so what can explain a smaller number can explain every larger one too. Hence
// the greedy way is the best one (Hall): go up through the missing numbers, give each to any free op with L < m; a number
// that finds none is a gap. Three facts follow that keep the counts exact when something changes later:
//   - below a gap every op with a smaller L explains a number smaller than the gap: nothing above can be shifted down to it;
//   - when a burned number is given after all, its op is free again, and the next gap above it, if any, takes it;
//   - an op that comes late takes the first gap above its L.
//
// Numbers are held as ranges, never one by one.
type missing struct {
	tally  *tally
	runs   []run     // ascending and apart
	cut    uint64    // when not 0: numbers from it on are counted but not in runs, which were too many
	beyond [3]uint64 // how many of each why are from cut on
	later  []run     // the first gaps from cut on
	end    uint64    // every number up to it is settled here
	free   uint64    // unknown ops that explain nothing yet and whose L is below everything to come
	ahead  unknowns  // those whose L is not
}

// maxRuns bounds the ranges kept for one id. A long run on a server that fails one request in a hundred gets there, and
// loses only this: a number that goes back above the cut is not told from one given twice.
const maxRuns = 16 << 10

// run is numbers that are missing for the same reason.
type run struct {
	first, last uint64
	why         why
}

type why uint8

const (
	unjudged why = iota // below the open low edge, or of a shared id
	burned              // an unknown op explains it
	gap                 // nothing does
)

// leave takes numbers that can't be judged. Calls of leave and lose go up.
func (m *missing) leave(first, last uint64) { m.append(run{first, last, unjudged}) }

// lose takes missing numbers and returns the count of gaps after it.
func (m *missing) lose(first, last uint64) (gaps uint64) {
	for first <= last {
		m.free += m.ahead.below(first)
		if m.free > 0 {
			n := min(m.free, last-first+1)
			m.free -= n
			m.tally.burned += n
			m.append(run{first, first + n - 1, burned})
			first += n
			continue
		}
		end := last
		if seen, ok := m.ahead.least(); ok { // seen ≥ first: it explains from seen+1 on
			end = min(end, seen)
		}
		m.tally.gaps += end - first + 1
		m.append(run{first, end, gap})
		first = end + 1
	}
	return m.tally.gaps
}

// explain takes an unknown op.
func (m *missing) explain(seen uint64) {
	switch {
	case seen >= m.end:
		m.tally.lenient = m.ahead.push(seen) || m.tally.lenient
	case !m.fillGap(seen): // late: only a client that stamps in the wrong order gets here, or relieve did
		m.free++
	}
}

func (m *missing) append(r run) {
	m.end = r.last
	n := len(m.runs)
	switch {
	case m.cut != 0:
		m.count(r)
	case n > 0 && m.runs[n-1].why == r.why && m.runs[n-1].last+1 == r.first:
		m.runs[n-1].last = r.last
	default:
		m.insert(n, r)
	}
}

// insert puts r at runs[i]; if they are too many, the last one is only counted from now on.
func (m *missing) insert(i int, r run) {
	m.runs = slices.Insert(m.runs, i, r)
	if n := len(m.runs) - 1; n >= maxRuns {
		r := m.runs[n]
		m.runs, m.cut = m.runs[:n], r.first
		m.count(r)
	}
}

// count takes a run that begins at cut or above.
func (m *missing) count(r run) {
	m.beyond[r.why] += r.last - r.first + 1
	if r.why == gap && len(m.later) < perKind {
		m.later = append(m.later, r)
	}
}

type taken uint8

const (
	wasMissing taken = iota
	wasGiven
	cantTell
)

// take says what had become of v, which is final, and if it was missing, withdraws it: somebody was given it after all.
func (m *missing) take(v uint64) taken {
	if m.cut != 0 && v >= m.cut {
		return cantTell
	}
	i := m.find(v)
	if i == len(m.runs) || m.runs[i].first > v {
		return wasGiven
	}
	was := m.runs[i].why
	m.remove(i, v)
	switch was {
	case gap:
		m.tally.gaps--
	case burned:
		m.tally.burned--
		if !m.fillGap(v) {
			m.free++
		}
	}
	return wasMissing
}

// find is the first run that ends at v or above.
func (m *missing) find(v uint64) int {
	return sort.Search(len(m.runs), func(i int) bool { return m.runs[i].last >= v })
}

// remove takes v out of runs[i].
func (m *missing) remove(i int, v uint64) {
	r := &m.runs[i]
	switch {
	case r.first == r.last:
		m.runs = slices.Delete(m.runs, i, i+1)
	case v == r.first:
		r.first++
	case v == r.last:
		r.last--
	default:
		upper := run{v + 1, r.last, r.why}
		r.last = v - 1
		m.insert(i+1, upper)
	}
}

// fillGap gives a free op that can explain every number above low to the first gap there.
func (m *missing) fillGap(low uint64) bool {
	if m.tally.gaps == 0 {
		return false
	}
	for i := m.find(low + 1); i < len(m.runs); i++ {
		r := m.runs[i]
		if r.why != gap || r.last <= low {
			continue
		}
		v := max(r.first, low+1)
		m.remove(i, v)
		m.insert(m.find(v), run{v, v, burned})
		m.moved()
		return true
	}
	if m.beyond[gap] == 0 {
		return false
	}
	m.beyond[gap]--
	m.beyond[burned]++
	m.moved()
	return true
}

func (m *missing) moved() {
	m.tally.gaps--
	m.tally.burned++
}
