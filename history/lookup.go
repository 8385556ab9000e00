package history

import "slices"

// Key names what was handed out: a turno of an id.
type Key struct {
	ID    uint32 // index into Run.IDs
	Turno uint64
}

// Lookup reads the history at path once and returns the first two ops that were given each key's number, in the order of
// the file. Keys that nobody was given are absent. A damaged file yields what was found before the damage, and the error.
func Lookup(path string, keys []Key) (map[Key][]Op, error) {
	found := make(map[Key][]Op, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	asked := make(map[uint64][]Key, len(keys)) // by turno: a cheap test that most ops fail
	for _, k := range keys {
		asked[k.Turno] = append(asked[k.Turno], k)
	}
	for b, err := range r.Batches() {
		if err != nil {
			return found, err
		}
		for i := range b.Ops {
			o := &b.Ops[i]
			if o.Outcome != OK || asked[o.Turno] == nil {
				continue
			}
			k := Key{ID: o.ID, Turno: o.Turno}
			if keep := found[k]; len(keep) < 2 && slices.Contains(asked[o.Turno], k) {
				found[k] = append(keep, *o)
			}
		}
	}
	return found, nil
}
