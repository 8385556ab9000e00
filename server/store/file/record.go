package file

import (
	"encoding/binary"
	"errors"

	"github.com/turnomatico/tmctl/server/api"
)

// A record's body is what a call changed:
//
//	how many ids; of each its length, the id, the last number given
//
// All numbers are varints.

// body is d as a record.
func (d *draft) body() []byte {
	b := binary.AppendUvarint(nil, uint64(len(d.moved)))
	for _, c := range d.moved {
		b = appendText(b, c.id)
		b = binary.AppendUvarint(b, c.next)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// eachEntry calls number with what body's reverse finds. The body of a seal is empty.
func eachEntry(body []byte, number func(id string, last uint64) error) error {
	if len(body) == 0 {
		return nil
	}
	r := reader{b: body}
	for range r.number() {
		id, last := r.text(), r.number()
		if r.bad || last > api.MaxTurno {
			return errNotWritten
		}
		if err := number(id, last); err != nil {
			return err
		}
	}
	if r.bad || len(r.b) > 0 {
		return errNotWritten
	}
	return nil
}

var errNotWritten = errors.New("it is not as it was written")

// reader takes a body apart. Once it is bad, it stays so.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) text() string {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return ""
	}
	text := string(r.b[:n])
	r.b = r.b[n:]
	return text
}
