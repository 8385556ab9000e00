package history

import "slices"

// Key names what was handed out: a turno of an id.
type Key struct {
	ID    uint32 // index into Run.IDs
	Turno uint64
}

// Lookup reads the history at path once and returns the first two ops that were given each key's number, in the order of
// the file; the attempts of one Idempotency-Key are folded. Keys that nobody was given are absent. A damaged file yields what was found before the damage, and the error.
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
		keep(found, b.Ops, asked)
	}
	return found, nil
}

// keep adds those of ops that were given a number which was asked for, by turno.
func keep(found map[Key][]Op, ops []Op, asked map[uint64][]Key) {
	var one []Op
	for len(ops) > 0 {
		n := Attempts(ops)
		if n == 1 && asked[ops[0].Turno] == nil { // most
			ops = ops[1:]
			continue
		}
		one = Fold(one[:0], ops[:n])
		ops = ops[n:]
		for _, o := range one {
			k := Key{ID: o.ID, Turno: o.Turno}
			if o.Outcome == OK && len(found[k]) < 2 && slices.Contains(asked[o.Turno], k) {
				found[k] = append(found[k], o)
			}
		}
	}
}
