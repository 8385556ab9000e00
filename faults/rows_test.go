//go:build linux

package faults

import (
	"fmt"
	"testing"
)

// TestFaults plays the table.
func TestFaults(t *testing.T) {
	slow(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			for _, st := range f.stores {
				for _, nodes := range f.with(st) {
					t.Run(fmt.Sprintf("%s/%d", st.name, nodes), func(t *testing.T) {
						t.Parallel()
						s, r := play(t, f, st, nodes, f.mutant)
						s.judge(r)
					})
				}
			}
		})
	}
}

// with is how many nodes f is played with on st.
func (f *fault) with(st *store) []int {
	if f.nodes != nil {
		return f.nodes
	}
	return st.nodes
}
