package history

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"

	"github.com/klauspost/compress/zstd"
)

// Reader reads a history, one block at a time, whatever its size. It is not safe for concurrent use.
type Reader struct {
	in      *bufio.Reader
	file    *os.File // nil when NewReader made the Reader
	unzip   *zstd.Decoder
	decoder decoder
	batch   Batch
	packed  []byte
	raw     []byte
	offset  int64
	blocks  uint32
	ops     uint64
	torn    string
}

// Open reads the history at path. Its error is about the file as a whole: it is not there, or is not a history.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	r, err := NewReader(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open history %s: %w", path, err), f.Close())
	}
	r.file = f
	return r, nil
}

// ErrNotHistory is returned by Open for a file that does not begin like a history.
var ErrNotHistory = errors.New("not a history of tmctl")

// NewReader reads a history from in, which Close leaves open.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 256<<10)}
	var head [len(magic)]byte
	if n, err := io.ReadFull(r.in, head[:]); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read history: %w", err)
	} else if n < len(magic) || string(head[:len(magic)-1]) != magic[:len(magic)-1] {
		return nil, ErrNotHistory
	}
	version, newest := head[len(magic)-1], magic[len(magic)-1]
	if version < 1 || version > newest {
		return nil, fmt.Errorf("the history is of version %d; this tmctl reads 1 to %d", version, newest)
	}
	r.decoder.keyless = version == 1
	r.offset = int64(len(magic))
	var err error
	r.unzip, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*maxRaw),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("start zstd: %w", err)
	}
	return r, nil
}

// Batches yields the blocks in order, once. A batch and what it points to is valid until the next one is asked for. An
// error ends the sequence and names the block; the batches before it are good. A torn tail is no error: see Torn.
func (r *Reader) Batches() iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		for {
			more, err := r.next()
			switch {
			case err != nil:
				yield(Batch{}, fmt.Errorf("history: block %d at byte %d is damaged: %w; the %d ops before it are good",
					r.blocks+1, r.offset, err, r.ops))
				return
			case !more || !yield(r.batch, nil):
				return
			}
		}
	}
}

// Ops is how many were read so far.
func (r *Reader) Ops() uint64 { return r.ops }

// Torn says what is missing at the end of a history that was not closed, in words; "" when nothing is.
func (r *Reader) Torn() string { return r.torn }

// Close ends reading.
func (r *Reader) Close() error {
	if r.unzip != nil {
		r.unzip.Close()
	}
	if r.file != nil {
		return r.file.Close()
	}
	return nil
}

// next reads one frame; no more when it was the end or the file is torn there.
func (r *Reader) next() (more bool, err error) {
	var head [headerSize]byte
	n, err := io.ReadFull(r.in, head[:])
	if err != nil {
		return false, r.tear(n, err)
	}
	h, err := openHeader(&head)
	if err != nil {
		if head == [headerSize]byte{} && onlyZeros(r.in) {
			r.tornAt("its last bytes are zeros")
			return false, nil
		}
		return false, err
	}
	if h.ordinal != r.blocks {
		return false, fmt.Errorf("it is number %d: blocks are missing or out of order", h.ordinal+1)
	}
	r.packed = grow(r.packed, int(h.packed))
	if n, err := io.ReadFull(r.in, r.packed); err != nil {
		return false, r.tear(headerSize+n, err)
	}
	if crc32.Checksum(r.packed, castagnoli) != h.sum {
		return false, errors.New("its checksum is off")
	}
	if h.kind == kindEnd {
		return false, r.end()
	}
	if err := r.unpack(h); err != nil {
		return false, err
	}
	r.offset += int64(headerSize) + int64(h.packed)
	r.blocks++
	r.ops += uint64(len(r.batch.Ops))
	return true, nil
}

func (r *Reader) unpack(h frameHeader) error {
	var err error
	// The capacity is the limit of what is unpacked: a bomb fails, it does not grow.
	if r.raw, err = r.unzip.DecodeAll(r.packed, grow(r.raw, int(h.raw))[:0:h.raw]); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if len(r.raw) != int(h.raw) {
		return fmt.Errorf("it unpacks to %d bytes instead of %d", len(r.raw), h.raw)
	}
	return r.decoder.decode(r.raw, &r.batch)
}

// end checks the end frame against what was read.
func (r *Reader) end() error {
	ops, blocks := binary.LittleEndian.Uint64(r.packed), binary.LittleEndian.Uint32(r.packed[8:])
	if ops != r.ops || blocks != r.blocks {
		return fmt.Errorf("the end mark speaks of %d ops in %d blocks, but %d in %d were read", ops, blocks, r.ops, r.blocks)
	}
	if _, err := r.in.ReadByte(); err != io.EOF {
		return errors.New("there is more after the end mark")
	}
	return nil
}

// tear tells the end of the file, n bytes into a frame, from an error of reading it.
func (r *Reader) tear(n int, err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if n == 0 {
		r.tornAt("nothing follows them")
	} else {
		r.tornAt(fmt.Sprintf("%d bytes of an unfinished block follow them", n))
	}
	return nil
}

func (r *Reader) tornAt(what string) {
	r.torn = fmt.Sprintf("the history was not closed: %d ops in %d blocks were read, %s; ops recorded after that, "+
		"at most about a second's, are missing", r.ops, r.blocks, what)
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
