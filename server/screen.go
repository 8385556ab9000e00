package server

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// screen looks at a request as it came, before it may take a number. Its outcome is answered when nothing is wrong.
//
// It refuses what fasthttp lets pass and another program in front of this one may read differently (request smuggling, RFC 9112
// §11.2): lines that end in a bare LF, lines that go on in the next (§5.2), spaces in names (§5.1), a length beside a transfer
// coding (§6.1), a coding that is not chunked, versions that are not HTTP/1, a fragment in the target. And requests of
// browsers that nobody has asked for yet.
func screen(h *fasthttp.RequestHeader) outcome {
	if !bytes.HasPrefix(h.Protocol(), http1) || bytes.IndexByte(h.RequestURI(), '#') >= 0 {
		return badRequest
	}
	var seen framing
	o := answered
	for rest := h.RawHeaders(); len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 1 || rest[end-1] != '\r' {
			return badRequest
		}
		line := rest[:end-1]
		rest = rest[end+1:]
		if len(line) == 0 {
			break // the end of the headers
		}
		name, value, _ := bytes.Cut(line, colon)
		if bytes.IndexByte(name, ' ') >= 0 || line[0] == '\t' {
			return badRequest
		}
		seen.note(name, value)
		if unasked(name, value) {
			o = prefetch
		}
	}
	if seen.coding && (seen.length || !seen.chunked) {
		return badRequest
	}
	return o
}

var (
	http1 = []byte("HTTP/1.")
	colon = []byte{':'}
	space = " \t"
)

// framing is what a request says of where its body ends.
type framing struct{ length, coding, chunked bool }

func (f *framing) note(name, value []byte) {
	switch {
	case is(name, "content-length"):
		f.length = true
	case is(name, "transfer-encoding"):
		f.coding, f.chunked = true, is(bytes.Trim(value, space), "chunked")
	}
}

// unasked reports whether a header says that a browser asks ahead of its user, who may never come: a number would be gone.
func unasked(name, value []byte) bool {
	switch {
	case is(name, "purpose"), is(name, "sec-purpose"), is(name, "x-purpose"), is(name, "x-moz"):
	default:
		return false
	}
	value = bytes.TrimLeft(value, space)
	if end := bytes.IndexAny(value, ";, \t"); end >= 0 { // Sec-Purpose: prefetch;prerender
		value = value[:end]
	}
	return is(value, "prefetch") || is(value, "preview") || is(value, "prerender")
}

// is compares without regard to case; lower is in lower case. Nearly all names differ in length already.
func is(b []byte, lower string) bool {
	return len(b) == len(lower) && bytes.EqualFold(b, []byte(lower))
}
