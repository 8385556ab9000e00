package targettest

import (
	"time"

	"github.com/turnomatico/tmctl/history"
)

// goingOn is for numbers that come too late: until one does it is a gap, and that may be found first and end the run.
var goingOn = []string{"--keep-going"}

// broken are servers whose numbers are wrong.
var broken = []Behaviour{
	{Name: "duplicate", Doc: "one number is given twice in a period", Want: violated(history.Duplicate), Period: 200, number: repeating},
	{Name: "one-duplicate-in-a-million", Doc: "one number is given twice in a million", Want: violated(history.Duplicate),
		Args: []string{"--rate", "max", "--duration", "3m"}, Period: 1_000_000, number: repeating},
	{Name: "skips", Doc: "one number is given to nobody, once in a period", Want: violated(history.Gap), Period: 200, number: skipping},
	{Name: "one-skipped-in-a-million", Doc: "one number in a million is given to nobody", Want: violated(history.Gap),
		Args: []string{"--rate", "max", "--duration", "3m"}, Period: 1_000_000, number: skipping},
	{Name: "starts-at-2", Doc: "the first number of a fresh id is 2", Want: violated(history.Gap), number: fromTwo},
	{Name: "goes-back", Doc: "two numbers in the wrong order, once in a period; no duplicate, no gap",
		Want: violated(history.WentBack), Period: 100, Latency: 2 * time.Second, act: swapped},
	{Name: "restarts", Doc: "starts again at 1", Want: violated(history.Duplicate), After: 300, number: restarting},
	{Name: "stale", Doc: "a copy of an earlier answer, once in a period", Want: violated(history.Duplicate), Period: 100, act: cachedAnswer},
	{Name: "prefetch", Doc: "two nodes hand out blocks of 50 that they reserved before: unique, but not in order",
		Want: violated(history.WentBack), Args: goingOn, Nodes: 2, act: prefetched},
	{Name: "prefetch-per-connection", Doc: "takes the number of a connection's next request with this one's: unique, but not in order",
		Want: violated(history.WentBack), Args: goingOn, act: preempted},
	{Name: "late-joiner", Doc: "two nodes; the first, with a slow store, gives numbers to requests that came after they were made",
		Want: violated(history.WentBack), Args: goingOn, Nodes: 2, Latency: 5 * time.Millisecond, act: lateJoin},
	{Name: "jumps-in-silence", Doc: "skips a million numbers, and its admin plane declares nothing",
		Want: violated(history.Gap), After: 300, Margin: 1_000_000, number: jumping, declares: nothing},
	{Name: "jumps-further", Doc: "skips one number more than the million that it declares",
		Want: violated(history.Gap), After: 300, Margin: 1_000_001, number: jumping, declares: oneTooFew},
	{Name: "declares-everything", Doc: "one number is given twice in a period, and every number there is declared skipped",
		Want: violated(history.Duplicate), Period: 200, number: repeating, declares: everything},
	{Name: "one-counter", Doc: "one counter for all ids", Want: violated(history.Gap), Args: []string{"--ids", "4"}, act: together},
}

// unreadable are servers whose 200s break the contract.
var unreadable = []Behaviour{
	// The number.
	{Name: "turno-string", Doc: `"42"`, Want: badAnswer(history.NotNumber), body: text(`{"id":"{id}","turno":"{n}"}`)},
	{Name: "turno-null", Doc: "null", Want: badAnswer(history.NotNumber), body: text(`{"id":"{id}","turno":null}`)},
	{Name: "turno-true", Doc: "true", Want: badAnswer(history.NotNumber), body: text(`{"id":"{id}","turno":true}`)},
	{Name: "turno-array", Doc: "[42]", Want: badAnswer(history.NotNumber), body: text(`{"id":"{id}","turno":[{n}]}`)},
	{Name: "turno-object", Doc: `{"turno":42}`, Want: badAnswer(history.NotNumber), body: text(`{"id":"{id}","turno":{"turno":{n}}}`)},
	{Name: "turno-fraction", Doc: "42.5", Want: badAnswer(history.Fraction), body: text(`{"id":"{id}","turno":{n}.5}`)},
	{Name: "turno-tiny-fraction", Doc: "42.00000000000000000001", Want: badAnswer(history.Fraction),
		body: text(`{"id":"{id}","turno":{n}.00000000000000000001}`)},
	{Name: "turno-zero", Doc: "0", Want: badAnswer(history.OutOfRange), body: text(`{"id":"{id}","turno":0}`)},
	{Name: "starts-at-0", Doc: "the first number of a fresh id is 0, the rest is consecutive", Want: badAnswer(history.OutOfRange), number: fromZero},
	{Name: "turno-negative", Doc: "-1", Want: badAnswer(history.OutOfRange), body: text(`{"id":"{id}","turno":-1}`)},
	{Name: "turno-2-53", Doc: "2^53", Want: badAnswer(history.OutOfRange), body: text(`{"id":"{id}","turno":9007199254740992}`)},
	{Name: "turno-1e400", Doc: "1e400", Want: badAnswer(history.OutOfRange), body: text(`{"id":"{id}","turno":1e400}`)},
	{Name: "turno-huge-exponent", Doc: "1e999999999", Want: badAnswer(history.OutOfRange), body: text(`{"id":"{id}","turno":1e999999999}`)},
	{Name: "turno-missing", Doc: "no turno", Want: badAnswer(history.NoTurno), body: text(`{"id":"{id}"}`)},
	{Name: "turno-capital", Doc: "Turno in place of turno", Want: badAnswer(history.NoTurno), body: text(`{"id":"{id}","Turno":{n}}`)},
	// The id.
	{Name: "id-other", Doc: "another id", Want: badAnswer(history.WrongID), body: text(`{"id":"other","turno":{n}}`)},
	{Name: "id-missing", Doc: "no id", Want: badAnswer(history.WrongID), body: text(`{"turno":{n}}`)},
	{Name: "id-number", Doc: "the id is a number", Want: badAnswer(history.WrongID), body: text(`{"id":7,"turno":{n}}`)},
	{Name: "id-longer", Doc: "the id with more after it", Want: badAnswer(history.WrongID), body: text(`{"id":"{id}2","turno":{n}}`)},
	// The body.
	{Name: "html", Doc: "a page of HTML with 200", Want: badAnswer(history.NotJSON), body: text("<!doctype html><p>Your number is {n}.")},
	{Name: "html-sometimes", Doc: "a page of HTML with 200, once in a period", Want: badAnswer(history.NotJSON), Period: 100,
		act: sometimes(consuming(lines("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12" + blank + "<h1>502</h1>")))},
	{Name: "empty", Doc: "200 without a body", Want: badAnswer(history.NotJSON), body: text("")},
	{Name: "number-alone", Doc: "the number, and nothing around it", Want: badAnswer(history.NotJSON), body: text("{n}")},
	{Name: "json-array", Doc: "an array around the object", Want: badAnswer(history.NotJSON), body: text(`[{"id":"{id}","turno":{n}}]`)},
	{Name: "json-truncated", Doc: "the closing brace is missing, the length is right", Want: badAnswer(history.NotJSON), body: text(`{"id":"{id}","turno":{n}`)},
	{Name: "json-twice", Doc: "two objects in one body", Want: badAnswer(history.NotJSON),
		body: text(`{"id":"{id}","turno":{n}}{"id":"{id}","turno":{n}}`)},
	{Name: "leading-zero", Doc: "042, which is not JSON", Want: badAnswer(history.NotJSON), body: text(`{"id":"{id}","turno":0{n}}`)},
	{Name: "byte-order-mark", Doc: "a BOM before the JSON (RFC 8259 §8.1: a sender must not)", Want: badAnswer(history.NotJSON),
		body: text("\ufeff" + `{"id":"{id}","turno":{n}}`)},
	{Name: "length-short", Doc: "Content-Length is one less than the body: JSON cut off, and a byte too many after it",
		Want: badAnswer(history.NotJSON), wire: miscounted(-1)},
	{Name: "gzip", Doc: "Content-Encoding: gzip, though nobody asked for it", Want: badAnswer(history.NotJSON), wire: zipped},
	{Name: "ten-megabytes", Doc: "a body of 10 MB: a reader must bound it", Want: badAnswer(history.NotJSON), wire: padded(10 << 20)},
	{Name: "endless", Doc: "a body that never ends: a reader must bound it", Want: badAnswer(history.NotJSON), wire: endless},
}
