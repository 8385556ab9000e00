package linear

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turnomatico/tmctl/history"
)

// rightOps is a run of 64 connections against a right server, in the order of turnos.
func rightOps() (ops []history.Op) {
	for _, b := range load(1, 64, 1500, 100) {
		ops = append(ops, b.Ops...)
	}
	slices.SortFunc(ops, func(a, b history.Op) int { return int(a.Turno) - int(b.Turno) })
	return ops
}

// after is the first op that was sent when ops[i] had been answered.
func after(ops []history.Op, i int) int {
	return slices.IndexFunc(ops, func(o history.Op) bool { return o.Call > ops[i].Return })
}

// TestEveryMutationIsCaught breaks a server in every way that notes on counters tell of, and names what must be found.
func TestEveryMutationIsCaught(t *testing.T) {
	lose := func(o *history.Op) { o.Outcome, o.Reason, o.Turno = history.Unknown, history.TimedOut, 0 }
	shift := func(ops []history.Op, by int) {
		for i := range ops {
			ops[i].Turno += uint64(by)
		}
	}
	tests := []struct {
		name    string
		spoil   func(ops []history.Op) []history.Op
		want    counts // ops and unknown are not compared
		atLeast bool   // the table names the kinds that must be there, more may be
	}{
		{"nothing", func(ops []history.Op) []history.Op { return ops }, counts{}, false},
		{"a duplicate", func(ops []history.Op) []history.Op {
			ops[800].Turno = ops[801].Turno
			return ops
		}, counts{duplicates: 1, gaps: 1}, true},
		{"two values in the wrong order of real time", func(ops []history.Op) []history.Op {
			i := after(ops, 700)
			ops[700].Turno, ops[i].Turno = ops[i].Turno, ops[700].Turno
			return ops
		}, counts{wentBack: 1}, true},
		{"a dropped response", func(ops []history.Op) []history.Op { return slices.Delete(ops, 900, 901) }, counts{gaps: 1}, false},
		{"a response lost on the way", func(ops []history.Op) []history.Op { lose(&ops[900]); return ops }, counts{burned: 1}, false},
		{"a dropped response, and one lost that was sent too late for it", func(ops []history.Op) []history.Op {
			late := ops[after(ops, 910)]
			lose(&late)
			return append(slices.Delete(ops, 900, 901), late)
		}, counts{gaps: 1}, false},
		{"a roll back by 100", func(ops []history.Op) []history.Op { shift(ops[600:], -100); return ops },
			counts{duplicates: 100, wentBack: 1}, true},
		{"a block given again", func(ops []history.Op) []history.Op {
			for i := range 10 {
				ops[710+i].Turno = ops[700+i].Turno
			}
			return ops
		}, counts{duplicates: 10, gaps: 10}, true},
		{"two servers whose blocks overlap by one", func(ops []history.Op) []history.Op { shift(ops[1000:], -1); return ops },
			counts{duplicates: 1}, true},
		{"a late joiner", func(ops []history.Op) []history.Op { // a number kept back for a request that comes later
			i := after(ops, 500)
			kept := ops[450].Turno
			for j := 450; j < i; j++ {
				ops[j].Turno++
			}
			ops[i].Turno = kept
			return ops
		}, counts{wentBack: 1}, true},
		{"a start at 2", func(ops []history.Op) []history.Op { shift(ops, 1); return ops }, counts{gaps: 1}, false},
		{"a start at 0", func(ops []history.Op) []history.Op { shift(ops, -1); return ops }, counts{bad: 1}, false},
		{"a jump above what was asked for", func(ops []history.Op) []history.Op { shift(ops[1200:], 1e15); return ops },
			counts{gaps: 1e15}, false},
		{"2^53", func(ops []history.Op) []history.Op { ops[len(ops)-1].Turno = 1 << 53; return ops }, counts{bad: 1}, false},
		{"a failed request that consumed", func(ops []history.Op) []history.Op {
			ops[900].Outcome, ops[900].Reason, ops[900].Turno = history.Failed, history.NotConsumed, 0
			return ops
		}, counts{gaps: 1}, false},
		{"an answer that breaks the contract", func(ops []history.Op) []history.Op {
			lose(&ops[900])
			ops[900].Reason = history.NotNumber
			return ops
		}, counts{bad: 1, burned: 1}, false},
		{"a restart from 1", func(ops []history.Op) []history.Op { shift(ops[1000:], -1000); return ops },
			counts{duplicates: 400, wentBack: 300}, true},
	}
	for i, tt := range tests {
		ops := tt.spoil(rightOps())
		see(ops)
		rng := rand.New(rand.NewPCG(uint64(i), 4))
		for range 3 {
			p := check(rng, ops, Config{IDs: []string{"grupo1"}, Fresh: true, Exclusive: true})
			got := countsOf(p)
			got.ops, got.unknown = 0, 0
			if tt.atLeast && !got.covers(tt.want) || !tt.atLeast && got != tt.want {
				t.Errorf("Close() after %s counts %+v; want %+v (at least: %v)", tt.name, got, tt.want, tt.atLeast)
			}
			if found := kinds(p); !slices.Equal(found, got.kinds()) {
				t.Errorf("Close() after %s finds %v; counts %+v", tt.name, found, got)
			}
		}
	}
}

func (c counts) covers(want counts) bool {
	return c.duplicates >= want.duplicates && c.wentBack >= want.wentBack && c.gaps >= want.gaps && c.bad >= want.bad && c.burned >= want.burned
}

func (c counts) kinds() (found []history.FindingKind) {
	for _, k := range []struct {
		n    uint64
		kind history.FindingKind
	}{{c.duplicates, history.Duplicate}, {c.wentBack, history.WentBack}, {c.gaps, history.Gap}, {c.bad, history.BadAnswer}} {
		if k.n > 0 {
			found = append(found, k.kind)
		}
	}
	return found
}

// kinds are those of the findings, each once.
func kinds(p history.Proof) (found []history.FindingKind) {
	for _, f := range p.Findings {
		found = append(found, f.Kind)
	}
	return slices.Compact(found)
}
