// Package file keeps counters in one file of a local disk: every number is on disk before it is answered. Start with [Open];
// layout.go says what is in the file, commit.go why a number is never given twice, whatever the disk does.
package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/turnomatico/tmctl/server"
)

// Names in the directory of a store.
const (
	dataName = "counters.db"
	lockName = "lock"
)

const engine = "bbolt 1.5.0"

// Store is an open directory. All counters are in memory as well, so that only a transaction goes to disk: what is read is
// what was last committed.
//
// One goroutine, the writer, makes the transactions, so that a caller need not wait for a disk that hangs.
type Store struct {
	dir    string
	path   string // of the file in it
	bounds server.Bounds
	disk   disk
	info   server.Info // but for what changes
	lock   *os.File
	db     *bbolt.DB
	file   *os.File // the one that db writes to
	slot   slot

	jobs    chan *job     // to the writer
	written chan struct{} // closed when the writer has ended

	mu       sync.RWMutex // held to change counters; the writer alone does, and reads without it
	counters map[string]*counter

	// The writer's.
	update func(func(*bbolt.Tx) error) error // db.Update, but for tests
	sheets [][]byte                          // as in the file
	spare  [][]byte                          // sheets to use again
	places int                               // that ids have
	wedged bool                              // bbolt panicked: it can't even be closed

	stopped atomic.Pointer[stopped] // not nil once nothing more is written
}

// counter is an id's.
type counter struct {
	place  int           // of its cell
	last   atomic.Uint64 // the last number given, and on disk
	next   uint64        // the writer's: last, and what the transaction under way adds
	broken bool          // its cell holds no number
}

// stopped is why a store writes nothing more.
type stopped struct {
	err      error
	warnings []string // what Info says then
}

var _ server.Store = (*Store)(nil)

// Open opens the counters in dir, which is made if need be. Ids that are there already are served, whatever the bounds. Its errors are [*OpenError]. It waits for nobody: a directory has one process at a time.
func Open(dir string, bounds server.Bounds) (*Store, error) {
	s := &Store{
		dir: dir, path: filepath.Join(dir, dataName), bounds: bounds, counters: map[string]*counter{},
		jobs: make(chan *job), written: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(explain(dir, err), s.release())
	}
	s.describe()
	go s.write()
	return s, nil
}

func (s *Store) open() (err error) {
	if err := makeDir(s.dir); err != nil {
		return err
	}
	if s.lock, err = lockDir(s.dir); err != nil {
		return err
	}
	if _, err := os.Lstat(s.path); errors.Is(err, os.ErrNotExist) {
		if err := create(s.path); err != nil {
			return fmt.Errorf("make a new store: %w", err)
		}
	}
	if err := verify(s.path); err != nil {
		return err
	}
	if s.db, err = bbolt.Open(s.path, 0o600, s.options()); err != nil {
		if errors.Is(err, berrors.ErrTimeout) {
			err = fmt.Errorf("%w: it has %s open", ErrInUse, dataName)
		}
		return err
	}
	s.db.AllocSize = growBy
	s.update = s.db.Update
	return s.db.View(s.load)
}

// Sizes of the file.
const (
	pageSize = 4 << 10  // everywhere, so that the file can be moved; less, and both headers could be lost with one sector
	mapSize  = 64 << 20 // of address space: more than 100,000 ids need, so that it is never mapped anew
	growBy   = 1 << 20
)

// options are bbolt's. Its list of free pages is written with each transaction: that costs nothing beside the fsyncs (231 µs
// a transaction with and without), and without it bbolt would search the whole file for them after a failed one.
func (s *Store) options() *bbolt.Options {
	return &bbolt.Options{
		Timeout:         time.Millisecond, // it tries once
		PageSize:        pageSize,
		InitialMmapSize: mapSize,
		NoStatistics:    true,
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			s.file, err = os.OpenFile(name, flag, mode)
			return s.file, err
		},
	}
}

// describe prepares what Info says.
func (s *Store) describe() {
	s.disk = diskOf(s.dir)
	s.info = server.Info{
		Name:     "file:" + s.dir,
		Promise:  s.disk.promise(),
		Bounds:   s.bounds,
		Slots:    1, // transactions come one after the other; what waits meanwhile shares the next one
		Details:  map[string]string{"engine": engine, "fsync": "always", "filesystem": s.disk.name},
		Warnings: s.disk.warnings(s.dir),
	}
}

// Info implements [server.Store].
func (s *Store) Info() server.Info {
	info := s.info
	s.mu.RLock()
	info.IDs = len(s.counters)
	s.mu.RUnlock()
	if why := s.stopped.Load(); why != nil {
		info.Warnings = why.warnings
	}
	return info
}

// Peek implements [server.Store]. It never waits for the disk.
func (s *Store) Peek(_ context.Context, id string) (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.counters[id]
	switch {
	case c == nil:
		return 0, nil
	case c.broken:
		return 0, s.brokenError(id)
	}
	return c.last.Load(), nil
}

// Close implements [server.Store]. It waits for a transaction that a caller gave up waiting for.
func (s *Store) Close() error {
	close(s.jobs)
	<-s.written
	if err := s.release(); err != nil {
		return fmt.Errorf("close %s: %w", s.path, err)
	}
	return nil
}

// release lets go of the directory. Nothing has to be written: it all is.
func (s *Store) release() error {
	var errs []error
	switch {
	case s.wedged: // bbolt may wait for itself for ever; the file is given back without it
		errs = append(errs, unlock(s.file), s.file.Close())
	case s.db != nil:
		errs = append(errs, s.db.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
