package server

import "time"

// calm is how long no trouble must be seen for a spell of it to be over: one that comes and goes is one spell, and a journal
// gets two events a spell, not two a request.
const calm = 2 * time.Second

// spell tells a time of trouble from the troubles in it. Its zero value is none.
type spell struct {
	on     bool
	since  time.Time // when it began
	last   time.Time // when trouble was seen last
	better time.Time // when it was first seen to go well after that; zero: not yet
}

// look is told what was seen since it was told last: trouble, and whether anything went well.
func (s *spell) look(now time.Time, trouble, well bool) (began, ended bool) {
	switch {
	case trouble:
		if began = !s.on; began {
			s.on, s.since = true, now
		}
		s.last, s.better = now, time.Time{}
	case s.on && well && s.better.IsZero():
		s.better = now
	}
	ended = s.on && !s.better.IsZero() && now.Sub(s.last) >= calm
	s.on = s.on && !ended
	return began, ended
}

// lasted is how long it lasted.
func (s *spell) lasted() time.Duration { return s.better.Sub(s.since) }
