package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server"
)

// commit makes a draft last, and only then lets it be seen. After server.ErrUnavailable nothing was taken. After any other
// error nobody knows, and the store has stopped.
//
// A call is one record in the log (log.go), one write and one fsync. The file of counters (layout.go) is changed by a bbolt
// transaction, which is two, when the log is full, when the store is opened and closed, and at once for ids that are new: they
// need room on the disk that the log does not have for them, so on a full disk they are refused before they have a number.
// Keys need room, too, but are so many that they are in the log first: what a full disk has no room for stays there, and when
// the log is full of it nothing is taken until there is room, nor is the store opened.
//
// What a crash leaves, wherever it comes:
//
//	while a record is written     the record is torn, or whole, and its call was not answered. Whole, it counts: its numbers are
//	                              gone, as those of a call whose answer is lost. Torn, it is dropped. No other record is in the
//	                              blocks that were written
//	after it is on disk           replay finds it. A record is not written over before the file includes it: see below
//	while a transaction is made   bbolt has it whole or not at all, and with it the mark, which says from which record on the log
//	                              counts. With the old mark, records are applied to counters of which some may include them
//	                              (savePieces): a record says what a counter is, so the last one of each is right
//	while the log begins anew     block 0 names the next generation, and is on disk, before the transaction that says so; only
//	                              then is the first block written over. So, whatever the mark says, block 0 knows its
//	                              generation, and its records are whole. If block 0 is torn, which takes a disk that tears a
//	                              sector, the store is not opened, as with bbolt's headers
//	while it is opened            nothing is written before all is read and found whole. Then the log begins anew: what replay
//	                              found is in the file, by two fsyncs of this process's, before any of it is believed, and what it
//	                              dropped can't be found later, since its generation is over
//
// A log that is lost, another store's, or older than the counters by a generation is found, and so are counters that are older
// than the log, if the log has a record since: the store is not opened, for it would give numbers again. Old copies of both, of
// the same moment, can't be told from the real ones.
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
// believes them. So it is with the log: of a record whose fsync failed nobody knows, and none is written after it; the restart
// reads what the kernel has, and writes that, or nothing of it, into the counters.
func (s *Store) commit(d *draft) error {
	if len(d.moved) == 0 {
		return nil
	}
	err := s.last(d)
	if err == nil {
		d.publish()
	} else {
		d.drop()
	}
	return err
}

// last makes a draft last.
func (s *Store) last(d *draft) error {
	body := d.body()
	switch {
	case len(d.fresh) > 0:
		return s.save(d, s.log.mark)
	case !s.log.fits(body):
		return s.renew(d)
	}
	if err := s.append(body); err != nil {
		return err
	}
	for _, c := range d.moved {
		s.change(c)
	}
	s.newKeys = append(s.newKeys, d.newKeys()...)
	return nil
}

// append writes a record. Its errors are those of commit.
func (s *Store) append(body []byte) error {
	if err := s.deleted(); err != nil {
		return err
	}
	if err := s.log.append(body); err != nil {
		return s.judge(err)
	}
	return nil
}

// judge says what an error of the log means.
func (s *Store) judge(err error) error {
	err = fmt.Errorf("write %s: %w", s.logPath, err)
	if errors.Is(err, errUnsynced) {
		_ = s.stop(err)
		return err
	}
	return fmt.Errorf("%w: %w", server.ErrUnavailable, err)
}

// deleted stops the store if one of its files was.
func (s *Store) deleted() error {
	for _, f := range []*os.File{s.file, s.logFile} {
		if unlinked(f) {
			return s.stop(fmt.Errorf("%s was deleted, and what is written to it goes with it", f.Name()))
		}
	}
	return nil
}

// transact changes the file of counters. Its errors are those of commit.
func (s *Store) transact(put func(*bbolt.Tx) error) error {
	if err := s.deleted(); err != nil {
		return err
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
	err = s.update(s.db, func(tx *bbolt.Tx) error {
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
