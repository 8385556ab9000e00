package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// verify looks whether bbolt can work with a file: it believes what pages say of each other, and panics, faults or recurses
// without end when that is wrong. It reads what the file refers to once: 10,000 ids are 1 MB. (bbolt's own Check runs inside
// of bbolt, and so would come too late.)
//
// Both headers must be whole. bbolt goes back to the other one when one is not, that is to before the last transaction: right
// if it was being written when the power failed, and numbers given twice if it was damaged later. A header is in one sector,
// and disks write those whole, so the latter it is.
//
// At last both are written again, as they are, and fsynced: after a failed fsync what was just read may have been in memory
// only. The pages that a header refers to were fsynced before it was written.
func verify(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lock(f); err != nil { // until bbolt does: another program may be writing
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := verifyPages(f, info.Size()); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	headers := make([]byte, 2*pageSize)
	if _, err := f.ReadAt(headers, 0); err != nil {
		return err
	}
	if _, err := f.WriteAt(headers, 0); err != nil {
		return err
	}
	return f.Sync()
}

// header is what a page of bbolt's begins with when it is one of the first two: its form on disk.
type header struct {
	ID              uint64
	Flags, Count    uint16
	Overflow        uint32
	Magic, Version  uint32
	PageSize, _     uint32
	Root, _         uint64
	Freelist, Pages uint64
	Txid, Checksum  uint64
}

const (
	headerSize = 80
	pageHead   = 16 // bytes before what is in a page
	magic      = 0xED0CDAED
	version    = 2
)

// readHeader reads one that is whole.
func readHeader(f io.ReaderAt, at int64) (h header, err error) {
	var b [headerSize]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return h, err
	}
	if _, err := binary.Decode(b[:], binary.NativeEndian, &h); err != nil {
		return h, err
	}
	sum := fnv.New64a()
	sum.Write(b[pageHead : headerSize-8])
	switch {
	case h.Magic != magic:
		return h, errors.New("this is not where a header is")
	case h.Version != version:
		return h, fmt.Errorf("the header is of version %d of bbolt's format", h.Version)
	case h.Checksum != sum.Sum64():
		return h, errors.New("the header fails its checksum")
	case h.PageSize != pageSize || h.Flags != metaPage:
		return h, fmt.Errorf("the header is not this program's (pages of %d)", h.PageSize)
	}
	return h, nil
}

// Kinds of pages.
const (
	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10
)

// pages walks through a file.
type pages struct {
	f    io.ReaderAt
	n    uint64 // pages in use, from 0
	seen []bool // by number
}

func verifyPages(f io.ReaderAt, size int64) error {
	var headers [2]header
	for i := range headers {
		h, err := readHeader(f, int64(i)*pageSize)
		if err != nil {
			return fmt.Errorf("header %d: %w", i, err)
		}
		if h.ID != uint64(i) {
			return fmt.Errorf("header %d is that of page %d", i, h.ID)
		}
		headers[i] = h
	}
	older, last := headers[0], headers[1]
	if older.Txid > last.Txid {
		older, last = last, older
	}
	if last.Txid != older.Txid+1 {
		return fmt.Errorf("the headers are of transactions %d and %d, not of two that followed each other", older.Txid, last.Txid)
	}
	if last.Pages < 4 || last.Pages > uint64(size)/pageSize {
		return fmt.Errorf("it should have %d pages and has %d bytes", last.Pages, size)
	}
	p := &pages{f: f, n: last.Pages, seen: make([]bool, last.Pages)}
	p.seen[0], p.seen[1] = true, true
	if err := p.free(last.Freelist); err != nil {
		return err
	}
	_, err := p.tree(last.Root, nil, 0)
	return err
}

// read reads a page with all that flows over from it, and counts it as seen: no page is in two places.
func (p *pages) read(id uint64) (kind, count uint16, b []byte, err error) {
	if id >= p.n {
		return 0, 0, nil, fmt.Errorf("there is no page %d", id)
	}
	var head [pageHead]byte
	if _, err := p.f.ReadAt(head[:], int64(id)*pageSize); err != nil {
		return 0, 0, nil, err
	}
	over := uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head[:]) != id || over >= p.n-id {
		return 0, 0, nil, fmt.Errorf("page %d is not as it was written", id)
	}
	for i := id; i <= id+over; i++ {
		if p.seen[i] {
			return 0, 0, nil, fmt.Errorf("page %d is in use twice, or free and in use", i)
		}
		p.seen[i] = true
	}
	b = make([]byte, (over+1)*pageSize)
	if _, err := p.f.ReadAt(b, int64(id)*pageSize); err != nil {
		return 0, 0, nil, err
	}
	return binary.NativeEndian.Uint16(head[8:]), binary.NativeEndian.Uint16(head[10:]), b, nil
}

// free counts the pages that are free as seen: none of them may be in use.
func (p *pages) free(id uint64) error {
	kind, count, b, err := p.read(id)
	if err != nil {
		return err
	}
	ids, n := b[pageHead:], uint64(count)
	if n == 0xFFFF { // then the count is the first entry
		n, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if kind != freelistPage || n > uint64(len(ids))/8 {
		return fmt.Errorf("page %d is no list of free pages", id)
	}
	for i := range n {
		free := binary.NativeEndian.Uint64(ids[i*8:])
		if free >= p.n || p.seen[free] {
			return fmt.Errorf("page %d is free twice, or free and in use", free)
		}
		p.seen[free] = true
	}
	return nil
}

// tree walks through a tree of pages whose first key must be first, unless it is nil, and returns the last one.
func (p *pages) tree(id uint64, first []byte, depth int) (last []byte, err error) {
	kind, count, b, err := p.read(id)
	if err != nil {
		return nil, err
	}
	switch {
	case depth > maxDepth:
		return nil, fmt.Errorf("page %d is too deep", id)
	case kind == leafPage:
		last, err = p.leaf(count, b, first, depth)
	case kind == branchPage && count > 0:
		last, err = p.branch(count, b, first, depth)
	default:
		err = fmt.Errorf("it is of kind %#x and has %d entries", kind, count)
	}
	if err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return last, nil
}

// maxDepth is far beyond that of any tree that fits on a disk.
const maxDepth = 32

// entrySize is that of an entry of a page without its key and value.
const entrySize = 16

// entry is the part of a page from its entry i on, where the entry's offsets count from.
func entry(b []byte, i int) ([]byte, error) {
	at := pageHead + i*entrySize
	if at+entrySize > len(b) {
		return nil, errors.New("it has more entries than it has room for")
	}
	return b[at:], nil
}

// text is what an entry refers to: a key, and its value if it has one.
func text(e []byte, at, key, value uint32) (k, v []byte, ok bool) {
	from, mid := uint64(at), uint64(at)+uint64(key)
	to := mid + uint64(value)
	if to > uint64(len(e)) || key == 0 {
		return nil, nil, false
	}
	return e[from:mid], e[mid:to], true
}

// follows reports whether key can be that of entry i. bbolt finds a page's entry in the one above by the page's first key.
func follows(key []byte, i int, first, last []byte) bool {
	if i > 0 {
		return bytes.Compare(key, last) > 0
	}
	return first == nil || bytes.Equal(key, first)
}

// branch walks through what is below a page: each entry names another, and the first key there.
func (p *pages) branch(count uint16, b, first []byte, depth int) (last []byte, err error) {
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	for i := range int(count) {
		e, err := entry(b, i)
		if err != nil {
			return nil, err
		}
		key, _, ok := text(e, u32(e), u32(e[4:]), 0)
		if !ok || !follows(key, i, first, last) {
			return nil, fmt.Errorf("entry %d is not as it was written", i)
		}
		if last, err = p.tree(u64(e[8:]), key, depth+1); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// leaf walks through a page of keys and values. A value can be a bucket.
func (p *pages) leaf(count uint16, b, first []byte, depth int) (last []byte, err error) {
	u32 := binary.NativeEndian.Uint32
	for i := range int(count) {
		e, err := entry(b, i)
		if err != nil {
			return nil, err
		}
		key, value, ok := text(e, u32(e[4:]), u32(e[8:]), u32(e[12:]))
		if !ok || !follows(key, i, first, last) {
			return nil, fmt.Errorf("entry %d is not as it was written", i)
		}
		if u32(e)&bucketEntry != 0 {
			if err := p.bucket(value, depth); err != nil {
				return nil, fmt.Errorf("bucket %q: %w", key, err)
			}
		}
		last = key
	}
	return last, nil
}

// bucketEntry marks a value that is a bucket: the number of its root page and 8 bytes more; with no such page, a leaf follows.
const bucketEntry = 0x01

func (p *pages) bucket(value []byte, depth int) error {
	if len(value) < 16 {
		return errors.New("it is cut short")
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		_, err := p.tree(root, nil, depth+1)
		return err
	}
	b := value[16:]
	if len(b) < pageHead || binary.NativeEndian.Uint16(b[8:]) != leafPage || depth > maxDepth {
		return errors.New("it is no leaf")
	}
	_, err := p.leaf(binary.NativeEndian.Uint16(b[10:]), b, nil, depth+1)
	return err
}
