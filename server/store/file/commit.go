package file

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server"
)

// commit makes a draft last, and only then lets it be seen. After server.ErrUnavailable nothing was taken. After any other
// error nobody knows, and the store has stopped.
//
// What bbolt 1.5.0 leaves of a transaction that fails depends on how far Tx.Commit came (tx.go):
//
//	spill, grow   nothing is written; grow can be a failed fsync. Errors: texts of db.allocate and db.grow
//	write         pages are written that the last header calls free. Errors: *fs.PathError, as of a full disk
//	              and they are fsynced. Errors: a bare errno
//	writeMeta     the new header is written, in part or whole. Errors: *fs.PathError
//	              and it is fsynced. Errors: a bare errno
//
// Each time bbolt then reads its list of free pages again, from the last header that it sees. While that is still the old one
// nothing refers to what was written, and the next transaction writes those pages anew. So a write that fails did nothing if
// the headers prove it, and the store goes on by itself when there is room.
//
// After a failed fsync the kernel calls pages clean that never reached the disk, and says so once: a later fsync that succeeds
// proves nothing about them. And bbolt would go on from a header that is perhaps in memory only, and overwrite pages that the
// one on disk still needs. So nothing is written until a restart, where verify writes both headers again before anyone
// believes them.
func (s *Store) commit(d *draft) error {
	if len(d.moved) == 0 {
		return nil
	}
	err := s.transact(d.put)
	if err == nil {
		d.publish()
	} else {
		d.drop()
	}
	return err
}

// transact has its errors as commit does.
func (s *Store) transact(put func(*bbolt.Tx) error) error {
	if unlinked(s.file) {
		return s.stop(errors.New("it was deleted, and what is written to it goes with it"))
	}
	txid, err := s.try(put)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("write %s: %w", s.path, err)
	if txid == 0 || harmless(err) && s.headersBefore(txid) {
		return fmt.Errorf("%w: %w", server.ErrUnavailable, err)
	}
	_ = s.stop(err)
	return err
}

// try makes the transaction. txid is 0 if it did not come to be committed.
func (s *Store) try(put func(*bbolt.Tx) error) (txid uint64, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.wedged = true
			txid, err = max(txid, 1), fmt.Errorf("bbolt: %v", p)
		}
	}()
	err = s.update(func(tx *bbolt.Tx) error {
		if err := put(tx); err != nil {
			return err
		}
		txid = uint64(tx.ID())
		return nil
	})
	return txid, err
}

// harmless reports whether err is of a write that failed, and not of an fsync or of what nobody thought of.
func harmless(err error) bool {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Op == "write"
	}
	text := err.Error() // bbolt does not wrap these
	return strings.Contains(text, "file resize error: ") || strings.Contains(text, "mmap allocate error: ")
}

// headersBefore reports whether both headers are whole and older than the transaction.
func (s *Store) headersBefore(txid uint64) bool {
	for _, at := range []int64{0, pageSize} {
		h, err := readHeader(s.file, at)
		if err != nil || h.Txid >= txid {
			return false
		}
	}
	return true
}

// stop keeps anything more from being written, and returns what whoever asks is told.
func (s *Store) stop(cause error) error {
	err := fmt.Errorf("%w: no number is taken from %s until a restart: %w", server.ErrUnavailable, s.path, cause)
	warning := fmt.Sprintf("no number is taken from %s until a restart: %v", s.path, cause)
	s.stopped.Store(&stopped{err: err, warnings: append([]string{warning}, s.info.Warnings...)})
	return err
}
