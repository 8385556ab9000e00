// Package file keeps counters in a directory of a local disk: every number is on disk before it is answered. Start with [Open];
// layout.go says what is in the file of counters, log.go what is in the log before it, commit.go why a number is never given
// twice, whatever the disk does.
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
	"github.com/turnomatico/tmctl/server/store/sessions"
)

// Names in the directory of a store.
const (
	dataName = "counters.db"
	logName  = "counters.log"
	lockName = "lock"
)

const engine = "bbolt 1.5.0"

// Store is an open directory. All counters are in memory as well, so that only what changes goes to disk: what is read is what
// was last on it.
//
// One goroutine, the writer, writes, so that a caller need not wait for a disk that hangs.
type Store struct {
	dir     string
	path    string // of the counters in it
	logPath string // of the log
	bounds  server.Bounds
	disk    disk
	info    server.Info // but for what changes
	lock    *os.File
	db      *bbolt.DB
	file    *os.File // the one that db writes to
	logFile *os.File
	slot    slot

	jobs    chan *job     // to the writer
	written chan struct{} // closed when the writer has ended

	mu       sync.RWMutex // held to change counters; the writer alone does, and reads without it
	counters map[string]*counter
	keys     *sessions.Table // held for whatever is done with it: it forgets

	// The writer's.
	log     log
	sheets  [][]byte         // as in the file
	changed []*counter       // those of which the file does not say what they are
	places  int              // that ids have
	newKeys []sessions.Entry // that have a number, and are not in the file
	saveAt  int              // how many of them are worth a transaction
	wedged  bool             // bbolt panicked: it can't even be closed

	// What tests replace.
	now    func() int64                                 // milliseconds since 1970
	device func(*os.File) device                        // what the log writes to
	update func(*bbolt.DB, func(*bbolt.Tx) error) error // makes a transaction

	stopped atomic.Pointer[stopped] // not nil once nothing more is written
}

// counter is an id's.
type counter struct {
	id      string
	place   int           // of its cell
	last    atomic.Uint64 // the last number given, and on disk
	next    uint64        // the writer's: last, and what the call under way adds
	broken  bool          // its cell holds no number
	changed bool          // it is in Store.changed
}

// stopped is why a store writes nothing more.
type stopped struct {
	err      error
	warnings []string // what Info says then
}

var _ server.Store = (*Store)(nil)

// Open opens the counters in dir, which is made if need be. Ids that are there already are served, whatever the bounds. Its errors are [*OpenError].
// It waits for nobody: a directory has one process at a time.
func Open(dir string, bounds server.Bounds) (*Store, error) { return newStore(dir, bounds).start() }

func newStore(dir string, bounds server.Bounds) *Store {
	return &Store{
		dir: dir, path: filepath.Join(dir, dataName), logPath: filepath.Join(dir, logName), bounds: bounds,
		counters: map[string]*counter{}, jobs: make(chan *job), written: make(chan struct{}),
		keys: sessions.New(bounds), now: wallClock, saveAt: someKeys,
		device: func(f *os.File) device { return logFile{f} }, update: (*bbolt.DB).Update,
	}
}

// start opens the directory and has the writer work.
func (s *Store) start() (*Store, error) {
	if err := s.open(); err != nil {
		return nil, errors.Join(explain(s.dir, err), s.release())
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
		if err := s.create(); err != nil {
			return err
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
	return s.restore()
}

// create makes a new store where there is none.
func (s *Store) create() error {
	if ok, err := unused(s.logPath); err != nil {
		return err
	} else if !ok {
		return s.damaged("it is gone, and %s is there", logName)
	}
	if err := create(s.dir, logBlocks); err != nil {
		return fmt.Errorf("make a new store: %w", err)
	}
	return nil
}

// restore reads what the directory holds, and makes it last.
func (s *Store) restore() error {
	var m *mark
	err := s.db.View(func(tx *bbolt.Tx) (err error) { m, err = s.load(tx); return err })
	if err != nil {
		return err
	}
	if m == nil {
		at, err := s.upgrade()
		if err != nil {
			return fmt.Errorf("give %s a log: %w", s.dir, err)
		}
		m = &at
	}
	if err := s.openLog(*m); err != nil {
		return err
	}
	return s.renew(nil)
}

// Sizes of the file.
const (
	pageSize = 4 << 10  // everywhere, so that the file can be moved; less, and both headers could be lost with one sector
	mapSize  = 64 << 20 // of address space: more than 100,000 ids need, or 500,000 keys; with more it is mapped anew
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
	s.mu.Lock()
	info.IDs, info.Sessions = len(s.counters), s.keys.Len(s.now())
	s.mu.Unlock()
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

// Close implements [server.Store]. It waits for a call that a caller gave up waiting for. What the counters then do not
// include is in the log.
func (s *Store) Close() error {
	close(s.jobs)
	<-s.written
	var err error
	if s.stopped.Load() == nil && len(s.changed) > 0 {
		if err = s.save(nil, s.log.mark); errors.Is(err, server.ErrUnavailable) {
			err = nil
		}
	}
	if err := errors.Join(err, s.release()); err != nil {
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
	for _, f := range []*os.File{s.logFile, s.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
