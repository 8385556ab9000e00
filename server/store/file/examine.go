package file

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/server"
)

// Examine tries what a server will rely on. That the store could be opened has been found before: nobody else has the
// directory, it can be written, and what is in it is whole.
func (s *Store) Examine(ctx context.Context) []server.Finding {
	return []server.Finding{
		s.examineAccess(),
		s.examineDisk(),
		s.examineFsync(ctx),
		s.examineSpace(),
		s.examineCounters(),
	}
}

func (s *Store) examineAccess() server.Finding {
	f := server.Finding{Name: "access", Level: server.OK, Says: s.dir + " can be written, and no other process has it"}
	for _, path := range []string{s.dir, s.path, s.logPath} {
		info, err := os.Stat(path)
		if err != nil {
			return server.Finding{Name: f.Name, Level: server.Fail, Says: err.Error(), Hint: "was it deleted? Numbers taken from now on are lost"}
		}
		if mode := info.Mode().Perm(); mode&0o022 != 0 {
			f.Level, f.Says = server.Warn, fmt.Sprintf("%s can be written by other users (%v)", path, mode)
			f.Hint = "chmod go-w " + path
		}
	}
	return f
}

func (s *Store) examineDisk() server.Finding {
	f := server.Finding{Name: "file system", Level: server.OK, Says: s.disk.name}
	if warnings := s.disk.warnings(s.dir); len(warnings) > 0 {
		f.Level, f.Says, f.Hint = server.Warn, warnings[0], "name a directory on a local disk"
	}
	if slices.Contains(inMemory, s.disk.name) {
		f.Level = server.Fail
	}
	return f
}

// probes is how many calls are timed.
const probes = 9

func (s *Store) examineFsync(ctx context.Context) server.Finding {
	f := server.Finding{Name: "fsync", Level: server.OK}
	var took []time.Duration
	for range probes {
		start := time.Now()
		if err := s.wait(ctx, s.probe); err != nil {
			return server.Finding{Name: f.Name, Level: server.Fail, Says: err.Error(), Hint: explain(s.dir, err).Hint}
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	median := took[len(took)/2]
	f.Says = fmt.Sprintf("a call is on disk after %v (an fsync; the median of %d), so %d calls a second, each for all requests that wait",
		median.Round(10*time.Microsecond), probes, time.Second/median)
	if median > slowFsync {
		f.Level, f.Hint = server.Warn, "requests wait that long, or twice: use a disk that is not shared, or one whose cache survives a power failure"
	}
	return f
}

// probe writes what a call writes, and changes nothing.
func (s *Store) probe() error {
	if s.log.fits(nothing) {
		return s.append(nothing)
	}
	return s.renew(nil)
}

// slowFsync is what a requests' p99 of 50 ms (tmctl load's default) hardly bears, since a request may wait for two calls.
const slowFsync = 20 * time.Millisecond

// littleSpace is some hundred thousand ids.
const littleSpace = 64 << 20

func (s *Store) examineSpace() server.Finding {
	f := server.Finding{Name: "space", Level: server.OK}
	info, err := s.file.Stat()
	if err != nil {
		return server.Finding{Name: f.Name, Level: server.Fail, Says: err.Error(), Hint: explain(s.dir, err).Hint}
	}
	f.Says = fmt.Sprintf("%s has %d kB", s.path, info.Size()>>10)
	d := diskOf(s.dir)
	if d.name == unknownDisk {
		return f
	}
	if f.Says += fmt.Sprintf(", the disk has %d MB left", d.free>>20); d.free < littleSpace {
		f.Level, f.Hint = server.Warn, "make room: on a full disk new ids are refused (those there are go on, unless idempotency keys fill the log)"
	}
	return f
}

func (s *Store) examineCounters() server.Finding {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := len(s.counters)
	f := server.Finding{Name: "counters", Level: server.OK, Says: fmt.Sprintf("%d of %d ids", n, s.bounds.IDs)}
	if n >= s.bounds.IDs {
		f.Level, f.Hint = server.Warn, "new ids are refused: raise --max-ids"
	}
	var broken []string
	for id, c := range s.counters {
		if c.broken {
			broken = append(broken, id)
		}
	}
	if slices.Sort(broken); len(broken) > 0 {
		f.Level, f.Says = server.Fail, fmt.Sprintf("%d of %d counters are damaged: %s", len(broken), n, strings.Join(broken[:min(len(broken), 5)], ", "))
		f.Hint = "move each beyond what clients have seen: tmctl counters set --force"
	}
	return f
}
