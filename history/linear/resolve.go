package linear

import "github.com/turnomatico/tmctl/history"

// Resolve names the requests that the Checker had already forgotten when it needed them. lookup finds who was given a
// number, the first two at most ([history.Lookup] over the run's file); findings that it can't help stay as they are.
func Resolve(cfg Config, p *history.Proof, lookup func([]history.Key) (map[history.Key][]history.Op, error)) error {
	ids := make(map[string]uint32, len(cfg.IDs))
	for i, id := range cfg.IDs {
		ids[id] = uint32(i)
	}
	var keys []history.Key
	for i := range p.Findings {
		f := &p.Findings[i]
		if op, other := wanted(f); op != 0 || other != 0 {
			keys = append(keys, history.Key{ID: ids[f.ID], Turno: op}, history.Key{ID: ids[f.ID], Turno: other})
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := lookup(keys)
	for i := range p.Findings { // what was found before an error helps too
		f := &p.Findings[i]
		op, other := wanted(f)
		if f.Op == nil {
			f.Op = cfg.request(first(found[history.Key{ID: ids[f.ID], Turno: op}], nil))
		}
		if f.Other == nil {
			f.Other = cfg.request(first(found[history.Key{ID: ids[f.ID], Turno: other}], f.Op))
		}
		f.Text = describe(f)
	}
	return err
}

// wanted says which numbers' requests f lacks; 0 for none.
func wanted(f *history.Finding) (op, other uint64) {
	switch {
	case f.Kind == history.Gap:
		if f.Op == nil {
			op = f.Last + 1
		}
		if f.Other == nil {
			other = f.First - 1
		}
	case f.Other != nil:
	case f.Kind == history.Duplicate:
		other = f.First
	case f.Kind == history.WentBack:
		other = f.Op.Seen
	}
	return op, other
}

// first is the first of ops that is not the request itself.
func first(ops []history.Op, not *history.Request) *history.Op {
	for i := range ops {
		if o := &ops[i]; not == nil || o.Call != not.Call || o.Return != not.Return || o.Turno != not.Turno {
			return o
		}
	}
	return nil
}
