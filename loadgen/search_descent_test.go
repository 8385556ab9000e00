package loadgen

import (
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// A rate that long trials came down to has one pass of one when the budget ends: Answer's comment says that it counts.
func TestDescendedRateCounts(t *testing.T) {
	for budget := 10; budget < 60; budget++ {
		m := NewSearch(SearchConfig{Start: 100, MaxRate: 1000, Step: time.Second, Precision: .05, Budget: time.Duration(budget) * time.Second})
		var spent time.Duration
		var last Trial
		lastPass := false
		for {
			tr, ok := m.Next()
			if !ok {
				break
			}
			spent += tr.Duration
			long := tr.Phase == history.Confirm || tr.Phase == history.Above
			pass := tr.Rate <= 800 && !long || tr.Rate <= 500
			m.Observe(Observation{Trial: tr, Spent: spent, Achieved: 800, Pass: pass, Limit: map[bool]history.Limit{false: history.LimitSLO}[pass]})
			last, lastPass = tr, pass
		}
		a := m.Answer()
		if a.Pass == 0 && lastPass && last.Phase == history.Confirm {
			t.Errorf("budget %ds: answer %+v after a confirming trial at %v passed", budget, a, last.Rate)
		}
	}
}
