package linear

import (
	"slices"
	"sort"
)

// missing keeps the final numbers that nobody was given, and explains as many as possible: by a declaration, or else by an
// unknown op, which is condition (3).
//
// A declared number needs no op. Of the others, an unknown op p can explain any m > L(p), so what can explain a smaller
// number can explain every larger one too. Hence the greedy way is the best one (Hall): go up through the missing numbers,
// give each to any free op with L < m; a number that finds none is a gap. Three facts follow that keep the counts exact
// when something changes later:
//   - below a gap every op with a smaller L explains a number smaller than the gap: nothing above can be shifted down to it;
//   - when a burned number is given or declared after all, its op is free again, and the next gap above it, if any, takes it;
//   - an op that comes late takes the first gap above its L.
//
// So it makes no difference whether a declaration is known before its numbers are found missing or after.
//
// Numbers are held as ranges, never one by one.
type missing struct {
	tally    *tally
	declared *spans    // the id's; nil when there are none
	runs     []run     // ascending and apart; without those that are forgotten
	forgot   forgotten // in the middle of runs
	end      uint64    // every number up to it is settled here
	free     uint64    // unknown ops that explain nothing yet and whose L is below everything to come
	ahead    unknowns  // those whose L is not
}

// maxRuns bounds the ranges kept for one id. A long run on a server that fails one request in a hundred gets there, and
// loses only this: in the middle, a number that goes back is not told from one given twice.
const maxRuns = 16 << 10

// run is numbers that are missing for the same reason.
type run struct {
	first, last uint64
	why         why
}

func (r run) size() uint64 { return r.last - r.first + 1 }

type why uint8

const (
	unjudged why = iota // below the open low edge, or of a shared id
	burned              // an unknown op explains it
	declared            // the server said that it skipped it
	gap                 // nothing does
	whys
)

// forgotten is a stretch of which only counts are left. What is below it tells a late number from a second one, also of a
// server that starts again from 1; what is above it can still be declared.
type forgotten struct {
	first, last uint64 // 0 = nothing is
	n           [whys]uint64
	gaps        []run // the first ones
}

func (f *forgotten) holds(v uint64) bool { return f.last != 0 && f.first <= v && v <= f.last }

// leave takes numbers that can't be judged. Calls of leave and lose go up.
func (m *missing) leave(first, last uint64) {
	m.append(run{first, last, unjudged})
	m.trim()
}

// lose takes missing numbers. It reports whether any of them is a gap.
func (m *missing) lose(first, last uint64) (unexplained bool) {
	gaps := m.tally.missing[gap]
	for first <= last {
		lo, hi := m.declared.next(first, last)
		if first < lo {
			m.match(first, lo-1)
		}
		if lo <= last {
			m.append(run{lo, hi, declared})
		}
		first = hi + 1
	}
	m.trim()
	return m.tally.missing[gap] > gaps
}

// match gives missing numbers to unknown ops.
func (m *missing) match(first, last uint64) {
	for first <= last {
		m.free += m.ahead.below(first)
		if m.free > 0 {
			n := min(m.free, last-first+1)
			m.free -= n
			m.append(run{first, first + n - 1, burned})
			first += n
			continue
		}
		end := last
		if seen, ok := m.ahead.least(); ok { // seen ≥ first: it explains from seen+1 on
			end = min(end, seen)
		}
		m.append(run{first, end, gap})
		first = end + 1
	}
}

// explain takes an unknown op.
func (m *missing) explain(seen uint64) {
	if seen >= m.end {
		m.tally.lenient = m.ahead.push(seen) || m.tally.lenient
		return
	}
	m.free += m.fill(seen, 1) // late: only a client that stamps in the wrong order gets here, or relieve did
	m.trim()
}

func (m *missing) append(r run) {
	m.end = r.last
	m.tally.missing[r.why] += r.size()
	if n := len(m.runs); n > 0 && m.runs[n-1].why == r.why && m.runs[n-1].last+1 == r.first {
		m.runs[n-1].last = r.last
	} else {
		m.runs = append(m.runs, r)
	}
}

// trim forgets runs in the middle where they are too many.
func (m *missing) trim() {
	for len(m.runs) > maxRuns {
		f, n := &m.forgot, maxRuns/4
		from := maxRuns / 2
		if f.last != 0 {
			from = m.find(f.last + 1)
		}
		from = min(from, len(m.runs)-n)
		f.take(m.runs[from : from+n])
		m.runs = slices.Delete(m.runs, from, from+n)
	}
}

// take forgets runs that follow on each other and on what is forgotten already.
func (f *forgotten) take(runs []run) {
	first, last := runs[0].first, runs[len(runs)-1].last
	if f.last != 0 {
		first, last = min(first, f.first), max(last, f.last)
	}
	f.first, f.last = first, last
	for _, r := range runs {
		f.n[r.why] += r.size()
		if r.why == gap && len(f.gaps) < perKind {
			f.gaps = append(f.gaps, r)
		}
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
	if m.forgot.holds(v) {
		return cantTell
	}
	i := m.find(v)
	if i == len(m.runs) || m.runs[i].first > v {
		return wasGiven
	}
	was := m.runs[i].why
	m.tally.missing[was]--
	m.replace(i, v, v)
	if was == burned {
		m.free += m.fill(v, 1)
	}
	m.trim()
	return wasMissing
}

// declare takes a declaration of numbers of which some may have been settled already.
func (m *missing) declare(first, last uint64) {
	var freed uint64
	for i := m.find(first); i < len(m.runs) && m.runs[i].first <= last; i++ {
		if r := m.runs[i]; r.why == burned || r.why == gap {
			part := run{max(first, r.first), min(last, r.last), declared}
			i = m.replace(i, part.first, part.last, part)
			m.tally.move(r.why, declared, part.size())
			if r.why == burned {
				freed += part.size()
			}
		}
	}
	if f := &m.forgot; f.last != 0 && first <= f.last && f.first <= last {
		m.tally.stale = true // which of the forgotten numbers it means is not known any more
	}
	m.free += m.fill(last, freed)
	m.trim()
}

// find is the first run that ends at v or above.
func (m *missing) find(v uint64) int {
	return sort.Search(len(m.runs), func(i int) bool { return m.runs[i].last >= v })
}

// replace puts with, or nothing, in the place of the numbers first…last of runs[i]. It returns the index of the last run
// that stands for what was runs[i], up to last.
func (m *missing) replace(i int, first, last uint64, with ...run) int {
	r, at := m.runs[i], i-1
	var parts [3]run
	n := 0
	if r.first < first {
		parts[n] = run{r.first, first - 1, r.why}
		n++
	}
	n += copy(parts[n:], with)
	at += n
	if last < r.last {
		parts[n] = run{last + 1, r.last, r.why}
		n++
	}
	m.runs = slices.Replace(m.runs, i, i+1, parts[:n]...)
	return at
}

// fill gives n free ops, which can explain every number above low, to the first gaps there. It returns how many find none.
func (m *missing) fill(low, n uint64) uint64 {
	if m.tally.missing[gap] == 0 {
		return n
	}
	f := &m.forgot
	for i := m.find(low + 1); n > 0; i++ {
		if f.last > low && (i >= len(m.runs) || m.runs[i].first > f.last) { // their turn, and only once: it leaves nothing, or n = 0
			k := m.tally.move(gap, burned, min(n, f.n[gap]))
			f.n[gap] -= k
			f.n[burned] += k
			n -= k
		}
		if i >= len(m.runs) {
			break
		}
		if r := m.runs[i]; r.why == gap && n > 0 {
			v := max(r.first, low+1)
			k := m.tally.move(gap, burned, min(n, r.last-v+1))
			n -= k
			i = m.replace(i, v, v+k-1, run{v, v + k - 1, burned})
		}
	}
	return n
}
