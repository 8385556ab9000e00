package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// firstSize is a new file's, in zeros that are written: a page that has its place on the disk needs no room when it is written
// again, so that a full disk stops new ids, but not those there are; and it needs no update of the file system's own books.
const firstSize = 1 << 20

// newSuffix is that of files which are not whole yet. One may be left by a process that was killed.
const newSuffix = ".new"

// create makes a new store, under the lock of its directory: the log, then the counters. Each has its name only when it is
// whole, and the counters have theirs only when all is on disk.
func create(dir string, blocks int) error {
	path, logPath := filepath.Join(dir, dataName), filepath.Join(dir, logName)
	first := mark{generation: newGeneration(), number: 1, block: 1}
	if err := createLog(logPath, blocks, first.generation); err != nil {
		return err
	}
	fresh := path + newSuffix
	err := removeIfThere(fresh)
	if err == nil {
		err = build(fresh, first)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(fresh), removeIfThere(logPath))
	}
	if err := syncDir(dir); err != nil { // so that there are no counters without their log
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncDir(dir)
}

func build(path string, first mark) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if err := layOut(tx); err != nil {
			return err
		}
		return tx.Bucket(infoBucket).Put(logKey, markEntry(first))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	written, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return writeFile(path, append(written, make([]byte, max(firstSize-len(written), 0))...)) // what bbolt wrote too: it leaves holes
}

// upgrade gives a store of format 1 its log.
func (s *Store) upgrade() (m mark, err error) {
	if ok, err := unused(s.logPath); err != nil {
		return m, err
	} else if !ok {
		return m, s.damaged("it is older than the log beside it: an old copy")
	}
	m = mark{generation: newGeneration(), number: 1, block: 1}
	if err := createLog(s.logPath, logBlocks, m.generation); err != nil {
		return m, err
	}
	if err := syncDir(s.dir); err != nil {
		return m, err
	}
	return m, s.update(s.db, func(tx *bbolt.Tx) error {
		if err := layOut(tx); err != nil {
			return err
		}
		return tx.Bucket(infoBucket).Put(logKey, markEntry(m))
	})
}

// writeFile writes a file of this user's anew, to last.
func writeFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Truncate(int64(len(content))), f.Sync(), f.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// makeDir makes a directory and those above it that are missing, to last.
func makeDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("%w: %s is a file", ErrForeign, dir)
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	above := filepath.Dir(filepath.Clean(dir))
	if err := makeDir(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(above)
}

// syncDir makes the names in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
