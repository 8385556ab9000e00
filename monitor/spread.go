package monitor

import (
	"maps"
	"slices"
)

// SeriesOf is what Prometheus would have of these observations.
func SeriesOf(observations []Observation) (list []Series) {
	for i := range observations[0].Nodes {
		instance := observations[0].Nodes[i].Instance
		ups := Series{metric: metric{name: up}, instance: instance}
		all := make([]Series, len(metrics))
		for k, m := range metrics {
			all[k] = Series{metric: m, instance: instance}
		}
		promises := map[string]*Series{}
		for at := range observations {
			n := &observations[at].Nodes[i]
			isUp := 0.0
			if n.Reach == Up {
				isUp = 1
			}
			ups.Values = append(ups.Values, &isUp)
			for k := range all {
				all[k].Values = append(all[k].Values, valueAt(n, all[k].metric))
			}
			promised(promises, n, at)
		}
		list = append(append(list, ups), all...)
		for _, promise := range slices.Sorted(maps.Keys(promises)) {
			list = append(list, *promises[promise])
		}
	}
	return list
}

func valueAt(n *Node, m metric) *float64 {
	if n.Reach != Up {
		return nil
	}
	v := m.of(&n.Snapshot)
	return &v
}

// promised adds what a node promises at one time: each promise is a series of its own.
func promised(promises map[string]*Series, n *Node, at int) {
	if n.Reach == Up && promises[n.Promise] == nil {
		promises[n.Promise] = &Series{metric: metric{name: "turno_store_info", label: "promise", value: n.Promise},
			instance: n.Instance, Values: make([]*float64, at)}
	}
	for promise, s := range promises {
		one := 1.0
		if n.Reach == Up && n.Promise == promise {
			s.Values = append(s.Values, &one)
		} else {
			s.Values = append(s.Values, nil)
		}
	}
}
