package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// history.tmh is a magic and then frames:
//
//	magic  "tmhist" 0x1a version
//	frame  kind u8 · ordinal u32 · raw u32 · packed u32 · crc32c(body) u32 · crc32c(those 17 bytes) u32 · body[packed]
//
// All integers are little endian. The body is zstd; raw is its size when unpacked. Each frame stands alone, so that what
// comes before a damaged one is good. The header has a checksum of its own: with one flipped bit in a length, a damaged
// file would look like a torn one. The last frame is the end frame, whose body (not packed) holds the totals; a file
// without it was not closed.
const (
	magic      = "tmhist\x1a\x02" // its last byte is the version; version 1 knew no Idempotency-Keys
	headerSize = 21
	kindOps    = 'o'
	kindEnd    = 'e'

	// No frame that a Writer makes is larger: blockOps ops of at most 70 bytes, each with an answer of MaxAnswer. A reader
	// refuses larger ones before it allocates anything.
	maxRaw    = 16 << 20
	maxPacked = maxRaw + maxRaw/128
	endSize   = 12
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type frameHeader struct {
	kind        byte
	ordinal     uint32
	raw, packed uint32
	sum         uint32
}

// seal writes h and the checksums over the first headerSize bytes of frame, whose rest is the body.
func seal(frame []byte, h frameHeader) {
	body := frame[headerSize:]
	frame[0] = h.kind
	binary.LittleEndian.PutUint32(frame[1:], h.ordinal)
	binary.LittleEndian.PutUint32(frame[5:], h.raw)
	binary.LittleEndian.PutUint32(frame[9:], uint32(len(body)))
	binary.LittleEndian.PutUint32(frame[13:], crc32.Checksum(body, castagnoli))
	binary.LittleEndian.PutUint32(frame[17:], crc32.Checksum(frame[:17], castagnoli))
}

// open reads a header that seal wrote.
func openHeader(b *[headerSize]byte) (h frameHeader, err error) {
	if crc32.Checksum(b[:17], castagnoli) != binary.LittleEndian.Uint32(b[17:]) {
		return h, errors.New("its header's checksum is off")
	}
	h = frameHeader{
		kind: b[0], ordinal: binary.LittleEndian.Uint32(b[1:]), raw: binary.LittleEndian.Uint32(b[5:]),
		packed: binary.LittleEndian.Uint32(b[9:]), sum: binary.LittleEndian.Uint32(b[13:]),
	}
	switch {
	case h.kind != kindOps && h.kind != kindEnd:
		return h, fmt.Errorf("it is of kind %q, which this tmctl does not know", h.kind)
	case h.raw > maxRaw || h.packed > maxPacked || h.kind == kindEnd && h.packed != endSize:
		return h, fmt.Errorf("it claims %d bytes (%d unpacked)", h.packed, h.raw)
	}
	return h, nil
}

// onlyZeros reports whether nothing but zero bytes is left in r: the tail that a file system leaves when the machine
// stopped after the file had grown but before its data was written.
func onlyZeros(r io.Reader) bool {
	var buf [4096]byte
	for {
		n, err := r.Read(buf[:])
		for _, c := range buf[:n] {
			if c != 0 {
				return false
			}
		}
		if err != nil {
			return err == io.EOF
		}
	}
}
