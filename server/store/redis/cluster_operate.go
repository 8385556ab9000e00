package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/turnomatico/tmctl/server"
)

// What operators need of a cluster, beside the nodes.

// List calls each with every counter, one partition after the other. That counters are broken is told at the end, as an error.
func (c *Cluster) List(ctx context.Context, each func(id string, last uint64) error) error {
	var broken []error
	for _, s := range c.parts {
		err := s.List(ctx, each)
		if bad := (&server.BrokenError{}); errors.As(err, &bad) {
			broken = append(broken, err)
		} else if err != nil {
			return err
		}
	}
	return errors.Join(broken...)
}

// Set is [Store.Set] of the partition that has id.
func (c *Cluster) Set(ctx context.Context, id string, last uint64, back bool) (was uint64, err error) {
	return c.of(id).Set(ctx, id, last, back)
}

// Examine looks at the cluster as a whole, and at every master as [Store.Examine] does.
func (c *Cluster) Examine(ctx context.Context) []server.Finding {
	chart, err := c.atlas.chart(ctx)
	if err != nil {
		return []server.Finding{{Name: "reachable", Level: server.Fail, Says: err.Error()}}
	}
	found := append([]server.Finding{c.complete(chart), c.spread(chart)}, c.missing(ctx)...)
	var all [][]server.Finding
	masters := c.masters()
	for _, m := range masters {
		all = append(all, m.part.examine(ctx))
	}
	found = append(found, merge(masters, all)...)
	return append(found, c.counters(ctx))
}

// complete is whether every slot has a master that answers.
func (c *Cluster) complete(chart *chart) server.Finding {
	served := 0
	masters := map[string]bool{}
	for _, s := range chart.shards {
		served += s.to - s.from + 1
		masters[s.master] = true
	}
	says := fmt.Sprintf("%d masters of %s", len(masters), c.name)
	switch {
	case served < slotCount:
		return finding("cluster", server.Fail, "redis-cli --cluster fix HOST:PORT", "%s: %d of %d slots are no one's", says, slotCount-served, slotCount)
	case !chart.sound:
		return finding("cluster", server.Fail, "redis-cli --cluster check HOST:PORT", "%s, and it does not find itself in order (CLUSTER INFO)", says)
	default:
		return finding("cluster", server.OK, "", "%s", says)
	}
}

// spread is how many partitions each master has, and whether all of them answer.
func (c *Cluster) spread(chart *chart) server.Finding {
	of := map[string]int{}
	for _, s := range chart.shards {
		of[s.master] += 0
	}
	for _, s := range c.parts {
		if at := chart.of(slotOf(s.tag())); at != nil {
			of[at.master]++
		}
	}
	var each []string
	idle := false
	for addr, n := range of {
		each = append(each, fmt.Sprintf("%s has %d", addr, n))
		idle = idle || n == 0
	}
	slices.Sort(each)
	says := fmt.Sprintf("%d: %s", len(c.parts), strings.Join(each, ", "))
	if idle {
		return finding("partitions", server.Warn, "with redis-cli --cluster reshard move slots of partitions to it; a new prefix may have more partitions (?partitions=)", "%s", says)
	}
	return finding("partitions", server.OK, "", "%s", says)
}

// missing are the partitions that don't answer, by why.
func (c *Cluster) missing(ctx context.Context) (found []server.Finding) {
	var mu sync.Mutex
	tags := map[string][]string{}
	_ = c.each(func(s *Store) error { // each is told of
		err := s.look(ctx)
		if err != nil {
			s.facts.Store(&facts{})
			mu.Lock()
			defer mu.Unlock()
			tags[err.Error()] = append(tags[err.Error()], "{"+s.tag()+"}")
		}
		return err
	})
	for _, why := range slices.Sorted(maps.Keys(tags)) {
		slices.Sort(tags[why])
		found = append(found, finding("reachable", server.Fail, "", "%s: of %d partitions, %s", why, len(tags[why]), strings.Join(tags[why], " ")))
	}
	return found
}

// merge says once what all masters say, and of the others who says it.
func merge(masters []masterFacts, all [][]server.Finding) (found []server.Finding) {
	named := func(i int, name string) (server.Finding, bool) {
		at := slices.IndexFunc(all[i], func(f server.Finding) bool { return f.Name == name })
		if at < 0 {
			return server.Finding{}, false
		}
		return all[i][at], true
	}
	var names []string
	for _, findings := range all {
		for _, f := range findings {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	for _, name := range names {
		first, same := server.Finding{}, true
		var each []server.Finding
		for i, m := range masters {
			f, ok := named(i, name)
			if i == 0 {
				first = f
			}
			same = same && ok && f == first
			if f.Says = m.addr + ": " + f.Says; ok {
				each = append(each, f)
			}
		}
		if same && len(masters) > 0 {
			each = []server.Finding{first}
		}
		found = append(found, each...)
	}
	return found
}

// counters looks at what is there already, in all partitions.
func (c *Cluster) counters(ctx context.Context) server.Finding {
	ids, stopped := int64(0), []string{}
	for _, s := range c.parts {
		n, stops, err := s.count(ctx)
		if err != nil {
			return finding("counters", server.Fail, "", "%v", err)
		}
		if ids += n; stops {
			stopped = append(stopped, s.stoppedKey())
		}
	}
	if len(stopped) > 0 {
		return finding("counters", server.Warn, "redis-cli -c HGETALL of "+strings.Join(stopped, ", ")+" shows each with its mark; tmctl counters set ID NUMBER, at or above it, puts it back",
			"%d ids; some are stopped since the store went back", ids)
	}
	return finding("counters", server.OK, "", "%d ids in %d partitions", ids, len(c.parts))
}
