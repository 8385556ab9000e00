package scenario_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/monitor/scenario"
)

func alerts() []monitor.Alert {
	c := monitor.DefaultConfig()
	c.Promises = []string{"nothing lost"}
	return monitor.Alerts(c)
}

// Each scenario fires what it is made for and nothing else; and each alert has one that fires it, and one that nearly does.
func TestAlertsOnScenarios(t *testing.T) {
	fired, calm := map[string]bool{}, map[string]bool{}
	for _, s := range scenario.All() {
		e := monitor.NewEvaluator(alerts())
		got := map[string]bool{}
		for _, o := range s.Observations {
			for _, change := range e.Add(o) {
				if change.State == monitor.Firing {
					got[change.Name] = true
				}
			}
		}
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, s.Fires) {
			t.Errorf("%s: fires %q; want %q", s.Name, names, s.Fires)
		}
		for _, name := range s.Fires {
			fired[name] = true
		}
		calm[s.Calm] = true
	}
	for _, a := range alerts() {
		if !fired[a.Name] {
			t.Errorf("no scenario fires %s", a.Name)
		}
		if !calm[a.Name] {
			t.Errorf("no scenario nearly fires %s", a.Name)
		}
	}
}
