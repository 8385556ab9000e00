package redistest

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Stop ends the server as an operator would: what it has is written. A stopped server may be stopped again.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server at once (SIGKILL). What it had written stays, fsync or not: the kernel has it.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(with syscall.Signal) {
	s.mu.Lock()
	p := s.run
	s.mu.Unlock()
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(with) // it may have ended by itself
	if with != syscall.SIGKILL {
		s.Continue()
	}
	<-p.ended
}

// Pause stops the server in its tracks (SIGSTOP): it keeps its connections and answers nobody until Continue.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Continue lets a paused server go on; it then does what it was sent meanwhile.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.run.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("send redis-server %s: %v", sig, err)
	}
}

// Restart starts the server again, in the same place with the same files. One that runs is killed first.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.start(s.mustLaunch())
}

// Empty removes what a server that does not run has kept.
func (s *Server) Empty() {
	s.t.Helper()
	for _, name := range []string{"appendonlydir", "dump.rdb"} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// CutAOF takes the last n bytes off the append-only file of a server that does not run: what it had not fsynced before
// the power went. Redis drops the command or transaction that this tears. Only with appendfsync always it is the last one
// that was answered: otherwise Redis may not have written it yet.
func (s *Server) CutAOF(n int64) {
	s.t.Helper()
	file := s.AOF()
	info, err := os.Stat(file)
	if err == nil {
		err = os.Truncate(file, max(info.Size()-n, 0))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// AOF is the file that the server appends to.
func (s *Server) AOF() string {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) == 0 {
		s.t.Fatalf("%s has no append-only file: %v", s.dir, err)
	}
	return slices.MaxFunc(files, func(a, b string) int { // they are numbered: …2.incr.aof, …10.incr.aof
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}
