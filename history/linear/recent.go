package linear

import "github.com/turnomatico/tmctl/history"

// recentOps is how many completed ops are kept to name the other request of a finding: 1 MiB. A power of two.
const recentOps = 16 << 10

// recent keeps the last completed ops by their number: as turnos are consecutive, a slot by turno is a ring. Of two ops
// with the same number the first stays.
type recent struct {
	ops []history.Op // grows from nothing, by doubling, to recentOps
	put int          // how many were added
}

func (r *recent) slot(id uint32, turno uint64) *history.Op {
	return &r.ops[(turno+uint64(id)*7919)&uint64(len(r.ops)-1)] // a prime apart, so that ids in step don't share slots
}

func (r *recent) add(o *history.Op) {
	if r.put++; r.put > len(r.ops) && len(r.ops) < recentOps {
		r.grow()
	}
	if s := r.slot(o.ID, o.Turno); s.Turno != o.Turno || s.ID != o.ID {
		*s = *o
	}
}

func (r *recent) grow() {
	old := r.ops
	r.ops = make([]history.Op, max(64, 2*len(old)))
	for i := range old {
		if old[i].Turno != 0 {
			*r.slot(old[i].ID, old[i].Turno) = old[i]
		}
	}
}

// get returns the op that was given turno, or nil when it is not kept (any more).
func (r *recent) get(id uint32, turno uint64) *history.Op {
	if len(r.ops) == 0 || turno == 0 {
		return nil
	}
	if s := r.slot(id, turno); s.Turno == turno && s.ID == id {
		op := *s
		return &op
	}
	return nil
}
