package history

// Attempts is how many of ops, which are not none, are the attempts of one Idempotency-Key, from the first one on: 1 where
// that has no key.
func Attempts(ops []Op) int {
	n := 1
	if ops[0].Attempt != 0 {
		for n < len(ops) && ops[n].Attempt > 1 && ops[n].ID == ops[0].ID {
			n++
		}
	}
	return n
}

// Fold appends to dst what the attempts of one key are to the proof: one op, as a key has one number. It was under way from
// when the first attempt that may have consumed the number was sent, until the first answer that brought it; what the other
// attempts did in between explains nothing else. Where none was answered, its outcome is unknown.
//
// If they were given two numbers or more, the target does not know the key, and each attempt is an op of its own; only a
// number given to an earlier one is left out.
func Fold(dst, attempts []Op) []Op {
	sent := -1 // the first that may have consumed
	var given *Op
	for i := range attempts {
		o := &attempts[i]
		if o.Outcome != Failed && sent < 0 {
			sent = i
		}
		switch {
		case o.Outcome != OK:
		case given == nil, o.Turno == given.Turno && o.Return < given.Return:
			given = o
		case o.Turno != given.Turno:
			return apart(dst, attempts)
		}
	}
	switch {
	case sent < 0:
		return append(dst, attempts[0])
	case given == nil:
		given = &attempts[sent]
	}
	op := *given
	op.Call, op.Seen = attempts[sent].Call, attempts[sent].Seen
	return append(dst, op)
}

// apart appends the attempts, but those with a number that an earlier one was given.
func apart(dst, attempts []Op) []Op {
	for i := range attempts {
		if !repeats(attempts, i) {
			dst = append(dst, attempts[i])
		}
	}
	return dst
}

// repeats reports whether an attempt before number i was given the same turno.
func repeats(attempts []Op, i int) bool {
	for j := range i {
		if a, b := &attempts[j], &attempts[i]; a.Outcome == OK && b.Outcome == OK && a.Turno == b.Turno {
			return true
		}
	}
	return false
}
