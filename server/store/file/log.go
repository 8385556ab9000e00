package file

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// log is where calls are written to before they are answered: a record each, by one write and one fsync, in a file that has
// its place on the disk from the beginning, so that nothing but the record has to be written. All is big endian.
//
//	block 0   magic (8), number of blocks (4), its generation (16), the one before (16), checksum of these (4)
//	then      records, one after the other, each from the beginning of a block:
//	          checksum of what follows (4), length of the body (4), generation (16), number (8), body
//
// The records of a generation are numbered from 1. The file of counters says which generation is the present one, and from
// which record on it does not include them (mark). A new generation, under a random name, begins at block 1 again.
//
// A record has blocks of its own: a write that is torn when the power fails hits no record that was answered.
type log struct {
	disk      device
	blocks    int
	mark               // the present generation, and where its next record goes
	announced [16]byte // the generation that block 0 names and that has not begun; zeros: none
	dirty     bool     // a record was written since the last seal
}

// device is a file, or what a test makes of one.
type device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error // what was written is on disk
}

// mark is a place in the log: that of a record to come.
type mark struct {
	generation [16]byte
	number     uint64
	block      int
}

const (
	blockSize  = 4 << 10
	logBlocks  = 1 << 10 // 4 MiB: at 10,000 calls a second a transaction every 0.1 s
	logMagic   = "tmctllog"
	logHead    = 8 + 4 + 16 + 16 + 4
	recordHead = 4 + 4 + 16 + 8
)

// newGeneration returns a name that nobody had before.
func newGeneration() (g [16]byte) {
	_, _ = rand.Read(g[:]) // it never fails
	return g
}

// announcement is what block 0 says.
type announcement struct {
	blocks          int
	present, before [16]byte // before is zeros in a log that was never used
}

func (a announcement) encode() []byte {
	b := make([]byte, 0, blockSize)
	b = append(b, logMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(a.blocks))
	b = append(b, a.present[:]...)
	b = append(b, a.before[:]...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return b[:blockSize]
}

// readAnnouncement is encode's reverse.
func readAnnouncement(r io.ReaderAt) (a announcement, err error) {
	b := make([]byte, logHead)
	if _, err := r.ReadAt(b, 0); err != nil {
		return a, err
	}
	sum := logHead - 4
	if string(b[:8]) != logMagic || binary.BigEndian.Uint32(b[sum:]) != crc32.Checksum(b[:sum], castagnoli) {
		return a, errors.New("its beginning fails its checksum")
	}
	a.blocks = int(binary.BigEndian.Uint32(b[8:]))
	copy(a.present[:], b[12:])
	copy(a.before[:], b[28:])
	return a, nil
}

// encode makes whole blocks of a record: a part of one would have to be read first.
func (m mark) encode(body []byte) []byte {
	b := make([]byte, blocksOf(len(body))*blockSize)
	binary.BigEndian.PutUint32(b[4:], uint32(len(body)))
	copy(b[8:], m.generation[:])
	binary.BigEndian.PutUint64(b[24:], m.number)
	copy(b[recordHead:], body)
	binary.BigEndian.PutUint32(b, crc32.Checksum(b[4:recordHead+len(body)], castagnoli))
	return b
}

// record is one that was read.
type record struct {
	generation [16]byte
	number     uint64
	body       []byte
}

// readRecord is encode's reverse: of blocks that begin with a record, or with anything else.
func readRecord(b []byte) (r record, ok bool) {
	if len(b) < recordHead {
		return r, false
	}
	length := uint64(binary.BigEndian.Uint32(b[4:]))
	if length > uint64(len(b)-recordHead) {
		return r, false
	}
	end := recordHead + int(length)
	if binary.BigEndian.Uint32(b) != crc32.Checksum(b[4:end], castagnoli) {
		return r, false
	}
	copy(r.generation[:], b[8:])
	r.number, r.body = binary.BigEndian.Uint64(b[24:]), b[recordHead:end]
	return r, true
}

func blocksOf(body int) int { return (recordHead + body + blockSize - 1) / blockSize }

// fits reports whether there is room for a record, and for the seal behind it.
func (l *log) fits(body []byte) bool { return l.block+blocksOf(len(body)) < l.blocks }

// errUnsynced is a write of which nobody knows what the disk has. Nothing may be written after it.
var errUnsynced = errors.New("nobody knows what is on disk")

// append writes a record, and returns when it is on disk. After errUnsynced it may be there, after another error it is not.
func (l *log) append(body []byte) error {
	at := int64(l.block) * blockSize
	if _, err := l.disk.WriteAt(l.encode(body), at); err != nil {
		if l.holds(at, len(body)) {
			err = fmt.Errorf("%w: %w", errUnsynced, err)
		}
		return err
	}
	if err := l.disk.Sync(); err != nil {
		return fmt.Errorf("%w: %w", errUnsynced, err)
	}
	l.block += blocksOf(len(body))
	l.number++
	l.dirty = true
	return nil
}

// holds reports whether a record that could not be written is there all the same, or can't be looked for.
func (l *log) holds(at int64, body int) bool {
	b := make([]byte, blocksOf(body)*blockSize)
	if _, err := l.disk.ReadAt(b, at); err != nil {
		return true
	}
	r, ok := readRecord(b)
	return ok && r.generation == l.generation && r.number == l.number && len(r.body) > 0
}

// seal writes an empty record where the next one will be, and does not wait for the disk. It is proof that the one before was
// on disk, and is written for nothing else: see replay.
func (l *log) seal() {
	if l.dirty {
		_, _ = l.disk.WriteAt(l.encode(nil), int64(l.block)*blockSize) // nothing rests on it
		l.dirty = false
	}
}

// announce writes down which generation will be next, before the file of counters says that it is the present one. Errors are
// as those of append.
func (l *log) announce() error {
	if l.announced != [16]byte{} {
		return nil
	}
	a := announcement{blocks: l.blocks, present: newGeneration(), before: l.generation}
	if _, err := l.disk.WriteAt(a.encode(), 0); err != nil {
		if was, e := readAnnouncement(l.disk); e != nil || was == a {
			err = fmt.Errorf("%w: %w", errUnsynced, err)
		}
		return err
	}
	if err := l.disk.Sync(); err != nil {
		return fmt.Errorf("%w: %w", errUnsynced, err)
	}
	l.announced = a.present
	return nil
}

// first is where the announced generation begins.
func (l *log) first() mark { return mark{generation: l.announced, number: 1, block: 1} }

// begin goes on with the announced generation.
func (l *log) begin() { l.mark, l.announced, l.dirty = l.first(), [16]byte{}, false }

// createLog makes an empty log at path, under the name that it has only when it is whole and on disk.
func createLog(path string, blocks int, generation [16]byte) error {
	fresh := path + newSuffix
	b := announcement{blocks: blocks, present: generation}.encode()
	err := writeFile(fresh, append(b, make([]byte, (blocks-1)*blockSize)...))
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(fresh))
	}
	return nil
}

// unused reports whether what is at path is a log that no store has ever been opened with, or nothing.
func unused(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	a, err := readAnnouncement(f)
	return err == nil && bytes.Equal(a.before[:], make([]byte, 16)), nil
}
