package file

import (
	"encoding/binary"
	"errors"

	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/sessions"
)

// A record's body is what a call changed:
//
//	how many ids; of each its length, the id, the last number given
//	how many keys; of each the id's length, the id, the key's length, the key, its number, until when it has it
//
// All numbers are varints.

// body is d as a record.
func (d *draft) body() []byte {
	b := binary.AppendUvarint(nil, uint64(len(d.moved)))
	for _, c := range d.moved {
		b = appendText(b, c.id)
		b = binary.AppendUvarint(b, c.next)
	}
	b = binary.AppendUvarint(b, uint64(len(d.newKeys())))
	for _, e := range d.newKeys() {
		b = appendText(appendText(b, e.ID), e.Key)
		b = binary.AppendUvarint(binary.AppendUvarint(b, e.Turno), uint64(e.Expires))
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// nothing is the body of a call that changed nothing. That of a seal is empty.
var nothing = []byte{0, 0}

// eachEntry is body's reverse: it calls number and key with what there is.
func eachEntry(body []byte, number func(id string, last uint64) error, key func(sessions.Entry)) error {
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
	for range r.number() {
		e := sessions.Entry{ID: r.text(), Key: r.text(), Turno: r.number(), Expires: int64(r.number())}
		if r.bad || !plausible(e) {
			return errNotWritten
		}
		key(e)
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
