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

// lose makes an op's outcome unknown.
func lose(o *history.Op) { o.Outcome, o.Reason, o.Turno = history.Unknown, history.TimedOut, 0 }

// shift adds to the turnos of ops.
func shift(ops []history.Op, by int) {
	for i := range ops {
		ops[i].Turno += uint64(by)
	}
}

// TestEveryMutationIsCaught breaks a server in every way that notes on counters tell of, and names what must be found.
func TestEveryMutationIsCaught(t *testing.T) {
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
	for _, tt := range tests {
		mustFind(t, tt.name, tt.spoil(rightOps()), tt.want, tt.atLeast)
	}
}

// TestDeclarationsExcuseNothingElse breaks a server that declares what it skips, or more.
func TestDeclarationsExcuseNothingElse(t *testing.T) {
	jump := func(ops []history.Op) []history.Op { shift(ops[1200:], 1e6); return ops }
	says := func(first, last uint64) []history.Range {
		return []history.Range{{ID: "grupo1", First: first, Last: last}}
	}
	tests := []struct {
		name    string
		spoil   func(ops []history.Op) []history.Op
		want    counts // as above
		atLeast bool
		said    []history.Range
	}{
		{"a jump that is declared", jump, counts{declared: 1e6}, false, says(1201, 1001200)},
		{"a jump declared by two nodes", jump, counts{declared: 1e6}, false, append(says(1201, 5000), says(3000, 1001200)...)},
		{"a jump by nearly all there is, declared", func(ops []history.Op) []history.Op { shift(ops[1200:], 9e15); return ops },
			counts{declared: 9e15}, false, says(1201, 1200+9e15)},
		{"a jump one further than declared", jump, counts{gaps: 1, declared: 1e6 - 1}, false, says(1201, 1001199)},
		{"a jump from one before what is declared", jump, counts{gaps: 1, declared: 1e6 - 1}, false, says(1202, 1001200)},
		{"a jump declared for another id", jump, counts{gaps: 1e6}, false, []history.Range{{ID: "grupo2", First: 1201, Last: 1001200}}},
		{"a declared jump, and a response dropped after it", func(ops []history.Op) []history.Op { return slices.Delete(jump(ops), 1300, 1301) },
			counts{gaps: 1, declared: 1e6}, false, says(1201, 1001200)},
		{"a declared jump, and a response lost before it", func(ops []history.Op) []history.Op { lose(&ops[1100]); return jump(ops) },
			counts{burned: 1, declared: 1e6}, false, says(1201, 1001200)},
		{"a number given twice that is declared", func(ops []history.Op) []history.Op {
			ops = jump(ops)
			ops[1300].Turno, ops[1301].Turno = 5000, 5000
			return ops
		}, counts{duplicates: 1, gaps: 2, declared: 1e6 - 1}, true, says(1201, 1001200)},
		{"a declared number given after the jump", func(ops []history.Op) []history.Op {
			ops = jump(ops)
			ops[after(ops, 1300)].Turno = 5000
			return ops
		}, counts{wentBack: 1, gaps: 1, declared: 1e6 - 1}, false, says(1201, 1001200)},
		{"a number of before the jump given again after it", func(ops []history.Op) []history.Op {
			ops = jump(ops)
			ops[after(ops, 1300)].Turno = 700
			return ops
		}, counts{duplicates: 1, wentBack: 1, gaps: 1, declared: 1e6}, false, says(1201, 1001200)},
		{"a roll back by 100 of a server that declares everything", func(ops []history.Op) []history.Op { shift(ops[600:], -100); return ops },
			counts{duplicates: 100, wentBack: 1}, true, says(1, history.MaxTurno)},
		{"a dropped response of a server that declares everything", func(ops []history.Op) []history.Op { return slices.Delete(ops, 900, 901) },
			counts{declared: 1}, false, says(1, history.MaxTurno)},
	}
	for _, tt := range tests {
		mustFind(t, tt.name, tt.spoil(rightOps()), tt.want, tt.atLeast, tt.said...)
	}
}

// mustFind holds the Checker to what it must say of ops, however they are delivered. The want does not name ops and unknown.
func mustFind(t *testing.T, name string, ops []history.Op, want counts, atLeast bool, said ...history.Range) {
	t.Helper()
	see(ops)
	rng := rand.New(rand.NewPCG(uint64(len(name)), 4))
	for range 3 {
		p := check(rng, ops, fresh, said...)
		got := countsOf(p)
		got.ops, got.unknown = 0, 0
		if atLeast && !got.covers(want) || !atLeast && got != want {
			t.Errorf("Close() after %s counts %+v; want %+v (at least: %v)", name, got, want, atLeast)
		}
		if found := kinds(p); !slices.Equal(found, got.kinds()) {
			t.Errorf("Close() after %s finds %v; counts %+v", name, found, got)
		}
	}
}

func (c counts) covers(want counts) bool {
	return c.duplicates >= want.duplicates && c.wentBack >= want.wentBack && c.gaps >= want.gaps && c.bad >= want.bad && c.burned >= want.burned &&
		c.declared >= want.declared
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
