package targettest

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// What an admin plane declares skipped of an id of which so many numbers were taken …

// … what a jumping server skips, as soon as it has: before the first number beyond it is answered.
func whatItSkips(b *Behaviour, id string, taken uint64) []api.Range {
	if taken <= b.After {
		return nil
	}
	return []api.Range{{ID: id, First: b.After + 1, Last: b.After + b.Margin}}
}

// … all of that but the last number.
func oneTooFew(b *Behaviour, id string, taken uint64) []api.Range {
	all := whatItSkips(b, id, taken)
	for i := range all {
		all[i].Last--
	}
	return all
}

func nothing(*Behaviour, string, uint64) []api.Range { return nil }

func everything(_ *Behaviour, id string, _ uint64) []api.Range {
	return []api.Range{{ID: id, First: 1, Last: api.MaxTurno}}
}

// listenAdmin opens the admin plane.
func (s *Server) listenAdmin() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.admin = ln
	started := time.Now()
	plane := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != api.SnapshotPath {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(s.snapshot(time.Since(started))) // who does not wait for it needs it no more
	}), ReadHeaderTimeout: time.Minute}
	s.wait.Go(func() { _ = plane.Serve(ln) }) // until the listener is closed
	s.wait.Go(func() { <-s.done; _ = plane.Close() })
	return nil
}

// snapshot is what the server says of itself. It delivers every number that it takes.
func (s *Server) snapshot(uptime time.Duration) api.Snapshot {
	snap := api.Snapshot{Name: s.addrs[0], Version: "0", PID: os.Getpid(), Uptime: int64(uptime), State: "ready", Store: "none",
		Promise: "none", Declared: []api.Range{}}
	s.ids.Range(func(id, q any) bool {
		taken := q.(*queue).taken.Load()
		snap.Ledger.Issued += taken
		snap.Declared = append(snap.Declared, s.declares(&s.Behaviour, id.(string), taken)...)
		return true
	})
	replays := s.replays.Load()
	snap.Requests = map[string]uint64{"ok": snap.Ledger.Issued, "replayed": replays}
	if s.boasts {
		snap.Ledger.Issued += replays
	}
	snap.Ledger.Delivered = snap.Ledger.Issued
	return snap
}
