package server

import "sync/atomic"

// room is for the requests of a node that wait for its store, in all parts of it.
type room struct {
	most  int64
	taken atomic.Int64
}

// share is how many requests of one id may wait, for each one that there is still room for. So nobody who asks much keeps
// others out: alone an id gets eight ninths of the room, two of them eight seventeenths each, and however many ask for all
// that they can get, there is some left for one who asks little. Nothing need be known of the others for it (A. K. Choudhury
// and E. L. Hahne, Dynamic Queue Length Thresholds for Shared-Memory Packet Switches, 1998).
const share = 8

// enter makes room for one more request of an id of which held wait, if there is any for it.
func (r *room) enter(held int64) bool {
	free := r.most - r.taken.Add(1)
	if held <= share*free {
		return true
	}
	r.leave()
	return false
}

func (r *room) leave() { r.taken.Add(-1) }
