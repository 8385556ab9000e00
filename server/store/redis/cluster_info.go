package redis

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/turnomatico/tmctl/server"
)

// Info implements [server.Store]. It is of the whole; each part has its own.
func (c *Cluster) Info() server.Info {
	info := server.Info{Name: c.name, Slots: slots, Bounds: c.bounds}
	for _, s := range c.parts {
		part := s.Info()
		info.IDs += part.IDs
		info.Sessions += part.Sessions
	}
	masters := c.masters()
	info.Promise, info.Details, info.Warnings = promiseOf(masters), c.details(masters), warningsOf(masters)
	return info
}

// masterFacts are what a node that has partitions says of itself.
type masterFacts struct {
	addr string
	*facts
	part *Store // one of its partitions
}

// masters are those that were looked at, each once.
func (c *Cluster) masters() (masters []masterFacts) {
	known := c.atlas.known()
	seen := map[string]bool{}
	for _, s := range c.parts {
		f := s.facts.Load()
		m := masterFacts{facts: f, part: s}
		if at := known.of(slotOf(s.tag())); at != nil {
			m.addr = at.master
		}
		if !f.at.IsZero() && !seen[m.addr] {
			seen[m.addr] = true
			masters = append(masters, m)
		}
	}
	slices.SortFunc(masters, func(a, b masterFacts) int { return strings.Compare(a.addr, b.addr) })
	return masters
}

// tag is a partition's hash tag.
func (s *Store) tag() string {
	_, tag, _ := strings.Cut(s.prefix, "{")
	tag, _, _ = strings.Cut(tag, "}")
	return tag
}

// promiseOf is what lasts. Masters that are set up alike are one.
func promiseOf(masters []masterFacts) string {
	said := map[string]bool{}
	for _, m := range masters {
		said[strings.TrimSuffix(m.lasting()+". "+m.failingOver(), ". ")] = true
	}
	if len(said) == 0 {
		return "unknown: no master has answered yet"
	}
	return strings.Join(slices.Sorted(maps.Keys(said)), "; on other masters: ") + ". Each shard is by itself. " + fencedPromise
}

// details are those of the masters, where they say the same, or all that they say.
func (c *Cluster) details(masters []masterFacts) map[string]string {
	said := map[string][]string{}
	for _, m := range masters {
		for name, value := range m.details {
			if !slices.Contains(said[name], value) {
				said[name] = append(said[name], value)
			}
		}
	}
	d := map[string]string{}
	for name, values := range said {
		if name != "run_id" && name != "role" {
			d[name] = strings.Join(values, ", ")
		}
	}
	d["partitions"] = strconv.Itoa(len(c.parts))
	d["masters"] = strconv.Itoa(len(masters))
	return d
}

// warningsOf are the masters', with whose they are unless they are everyone's.
func warningsOf(masters []masterFacts) (warnings []string) {
	of := map[string][]string{}
	var order []string
	for _, m := range masters {
		for _, w := range m.warnings {
			if of[w] == nil {
				order = append(order, w)
			}
			of[w] = append(of[w], m.addr)
		}
	}
	for _, w := range order {
		if len(of[w]) < len(masters) {
			w = strings.Join(of[w], ", ") + ": " + w
		}
		warnings = append(warnings, w)
	}
	return warnings
}
