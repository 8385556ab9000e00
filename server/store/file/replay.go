package file

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/turnomatico/tmctl/server/store/sessions"
)

// openLog opens the log, of which the file of counters includes what is before m, and applies the rest. It changes nothing
// on the disk, and fails when what is there can't be all that was answered:
//
//   - there is no log, or it is of another size: it is not the one that was in use;
//   - block 0 names neither m's generation nor one that was to follow it: log or counters are an old copy, or another store's;
//   - a record fails its checksum, or has another number than should follow, and one of the same generation is behind it: that
//     one was written when the bad one had been answered;
//   - there are records of the generation that was to follow: the counters are an old copy.
//
// A record that is bad with none behind it is one that was being written when the process or the machine died. It was not
// answered, and is dropped.
//
// Could it be one that was answered, and that the disk damaged later? Behind a record that is on disk a seal is written, which
// is a record too; so no, unless the machine lost power before it had written the seal (within half a minute, as Linux is set
// up, or with the next call's fsync), and then, before it was started again, the disk damaged just that record. Seals that are
// waited for would close this gap, and cost each call a second fsync.
func (s *Store) openLog(m mark) (err error) {
	f, err := os.OpenFile(s.logPath, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return s.damagedLog("it is gone")
	}
	if err != nil {
		return err
	}
	s.logFile = f
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return s.damagedLog("it is a directory")
	}
	a, err := readAnnouncement(f)
	switch {
	case errors.Is(err, io.EOF):
		return s.damagedLog("it is cut short")
	case err != nil:
		return s.damagedLog("%w", err)
	case info.Size() != int64(a.blocks)*blockSize:
		return s.damagedLog("it should have %d blocks and has %d bytes", a.blocks, info.Size())
	case a.present != m.generation && a.before != m.generation:
		return s.damagedLog("it does not belong to %s: one of them is an old copy, or another store's", dataName)
	}
	s.log = log{disk: s.device(f), blocks: a.blocks, mark: m}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	return s.replay(b, a)
}

// replay applies the records of a log from the mark on.
func (s *Store) replay(b []byte, a announcement) error {
	if m := s.log.mark; m.block < 1 || m.block > a.blocks {
		return s.damagedLog("it has no block %d", m.block)
	}
	for s.log.block < a.blocks {
		r, ok := readRecord(b[s.log.block*blockSize:])
		if !ok || r.generation != s.log.generation || r.number != s.log.number {
			break
		}
		if err := s.apply(r.body); err != nil {
			return s.damagedLog("record %d: %w", r.number, err)
		}
		s.log.block += blocksOf(len(r.body))
		s.log.number++
	}
	for at := s.log.block; at < a.blocks; at++ {
		r, ok := readRecord(b[at*blockSize:])
		if ok && r.generation == s.log.generation {
			return s.damagedLog("record %d is not as it was written, and there is record %d", s.log.number, r.number)
		}
	}
	if a.present == s.log.generation {
		return nil
	}
	for at := 1; at < a.blocks; at++ {
		if r, ok := readRecord(b[at*blockSize:]); ok && r.generation == a.present {
			return s.damagedLog("it is newer than %s, which must be an old copy", dataName)
		}
	}
	return nil
}

// apply makes the changes of a record that the file of counters does not include, or includes in part (in a transaction of
// which the next was refused): the record says what counters are, not how far they move.
func (s *Store) apply(body []byte) error {
	return eachEntry(body, func(id string, last uint64) error {
		c := s.counters[id]
		if c == nil {
			return fmt.Errorf("%s has no id %q", dataName, id)
		}
		c.next, c.broken = last, false
		c.last.Store(last)
		s.change(c)
		return nil
	}, func(e sessions.Entry) {
		s.keys.Put(e)
		s.newKeys = append(s.newKeys, e)
	})
}

func (s *Store) damagedLog(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %w", ErrDamaged, s.logPath, fmt.Errorf(format, args...))
}
