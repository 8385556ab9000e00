package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// Writer records ops. It writes a whole block with one call, so that a crash loses at most the block being filled.
// It is not safe for concurrent use.
type Writer struct {
	w       io.Writer
	file    *os.File // nil when New made the Writer
	zip     *zstd.Encoder
	block   block
	raw     []byte
	frame   []byte
	ordinal uint32
	total   uint64
	written int64 // watermark on disk
	err     error // the first, for good
}

// Create starts a history at path, in the place of what was there.
func Create(path string) (*Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create history: %w", err)
	}
	w, err := NewWriter(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	w.file = f
	return w, nil
}

// NewWriter starts a history on w, which Close leaves open.
func NewWriter(w io.Writer) (*Writer, error) {
	// One goroutine, the cheapest level: the columns do most of the work, and this process is busy making load.
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("start zstd: %w", err)
	}
	if _, err := io.WriteString(w, magic); err != nil {
		return nil, fmt.Errorf("write history: %w", err)
	}
	return &Writer{w: w, zip: zip}, nil
}

// Add records a batch. After an error, such as a full disk, it does nothing and returns that error again.
func (w *Writer) Add(b Batch) error {
	for lo := 0; lo < len(b.Ops) && w.err == nil; {
		hi := w.whole(b.Ops, lo, min(len(b.Ops), lo+blockOps-w.block.ops))
		w.addOps(b, lo, hi)
		if lo = hi; lo < len(b.Ops) { // the watermark speaks of the whole batch: only its last block may carry it
			w.flush()
		}
	}
	if w.err != nil {
		return w.err
	}
	w.block.watermark = max(w.block.watermark, b.Watermark)
	if w.block.full() || w.block.due() {
		w.flush()
	}
	return w.err
}

// whole moves hi down to where a block may end: the attempts of one key stay together. An empty block has room for them.
func (w *Writer) whole(ops []Op, lo, hi int) int {
	end := hi
	for end > lo && end < len(ops) && ops[end].Attempt > 1 {
		end--
	}
	if end == lo && w.block.ops == 0 { // more attempts than there can be
		return hi
	}
	return end
}

// addOps codes b.Ops[lo:hi], which fit the open block, and their answers.
func (w *Writer) addOps(b Batch, lo, hi int) {
	base := w.block.ops - lo
	for i := lo; i < hi; i++ {
		if err := w.block.add(&b.Ops[i]); err != nil {
			w.err = fmt.Errorf("write history: %w", err)
			return
		}
	}
	for _, a := range b.Answers {
		if a.Index >= lo && a.Index < hi && w.block.nAnswer < w.block.ops {
			w.block.answer(base+a.Index, a.Body)
		}
	}
}

func (w *Writer) flush() {
	if w.err != nil {
		return
	}
	w.raw = w.block.encode(w.raw[:0])
	w.frame = w.zip.EncodeAll(w.raw, append(w.frame[:0], make([]byte, headerSize)...))
	w.total += uint64(w.block.ops)
	w.written = int64(w.block.watermark)
	w.block.reset()
	w.put(kindOps, len(w.raw))
}

func (w *Writer) put(kind byte, raw int) {
	seal(w.frame, frameHeader{kind: kind, ordinal: w.ordinal, raw: uint32(raw)})
	w.ordinal++
	if _, err := w.w.Write(w.frame); err != nil {
		w.err = fmt.Errorf("write history: %w", err)
	}
}

// Close writes what is left and the end mark, and returns the first error of all.
func (w *Writer) Close() error {
	if w.zip == nil {
		return w.err
	}
	if w.block.ops > 0 || int64(w.block.watermark) != w.written {
		w.flush()
	}
	if w.err == nil {
		w.frame = append(w.frame[:0], make([]byte, headerSize)...)
		w.frame = binary.LittleEndian.AppendUint64(w.frame, w.total)
		w.frame = binary.LittleEndian.AppendUint32(w.frame, w.ordinal)
		w.put(kindEnd, endSize)
	}
	w.zip = nil
	if w.file != nil {
		if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil && w.err == nil {
			w.err = fmt.Errorf("close history: %w", err)
		}
	}
	return w.err
}
