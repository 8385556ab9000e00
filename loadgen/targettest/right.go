package targettest

import (
	"time"

	"github.com/turnomatico/tmctl/history"
)

// right are servers that keep the contract in ways that a careless reader takes for wrong.
var right = []Behaviour{
	{Name: "plain", Doc: "the contract, to the letter", Want: pass},
	// Framing.
	{Name: "chunked", Doc: "the body in one chunk", Want: pass, wire: chunked(1<<10, "", "")},
	{Name: "chunked-small", Doc: "the body in chunks of 3 bytes", Want: pass, wire: chunked(3, "", "")},
	{Name: "chunked-split", Doc: "chunks of 5 bytes, written 7 bytes at a time", Want: pass, wire: inPieces(7, chunked(5, "", ""))},
	{Name: "chunked-extended", Doc: "chunk extensions and a trailer field", Want: pass, wire: chunked(9, ";a=b", "X-Sum: 1\r\n")},
	{Name: "connection-close", Doc: "Connection: close on every answer", Want: pass,
		wire: ending(framed(statusOK+isJSON+"Connection: close\r\n"+length, blank))},
	{Name: "until-close", Doc: "HTTP/1.1 without a length: the body ends with the connection", Want: pass,
		wire: bare(statusOK + isJSON + "Connection: close" + blank)},
	{Name: "http10", Doc: "HTTP/1.0 without a length: the body ends with the connection", Want: pass,
		wire: bare("HTTP/1.0 200 OK\r\nContent-Type: application/json" + blank)},
	{Name: "http10-length", Doc: "HTTP/1.0 with Content-Length, and closed without a word about it", Want: pass,
		wire: ending(framed("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n"+length, blank))},
	{Name: "http10-keep-alive", Doc: "HTTP/1.0 with Content-Length and Connection: keep-alive", Want: pass,
		wire: framed("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n"+length, blank)},
	{Name: "pieces", Doc: "16 bytes a write, headers split, a pause in the header and one in the body", Want: pass,
		wire: inPieces(16, plain)},
	{Name: "bytes", Doc: "one byte a write", Want: pass, Args: []string{"--rate", "200"}, wire: inPieces(1, plain)},
	// Headers.
	{Name: "lower-case", Doc: "lower-case header names, no space after the colon, no reason phrase", Want: pass,
		wire: framed("HTTP/1.1 200 \r\ncontent-type:application/json\r\ncontent-length:", blank)},
	{Name: "large-headers", Doc: "4 KB of cookies before the length", Want: pass,
		wire: framed(statusOK+isJSON+cookies(4<<10)+length, blank)},
	{Name: "continue-first", Doc: "100 Continue before every answer", Want: pass,
		wire: framed("HTTP/1.1 100 Continue"+blank+statusOK+isJSON+length, blank)},
	{Name: "early-hints", Doc: "103 Early Hints before every answer", Want: pass,
		wire: framed("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload"+blank+statusOK+isJSON+length, blank)},
	// JSON.
	{Name: "white-space", Doc: "JSON over several lines, with tabs and a line end after it", Want: pass,
		body: text("\r\n{\n\t\"id\" : \"{id}\" ,\n\t\"turno\" :\t{n}\n}\n")},
	{Name: "key-order", Doc: "turno before id", Want: pass, body: text(`{"turno":{n},"id":"{id}"}`)},
	{Name: "more-fields", Doc: "more fields around, some nested ones called turno and id, braces in strings", Want: pass,
		body: text(`{"at":{"id":"x","turno":7},"note":"}\"turno\":1","id":"{id}","turno":{n},"list":[{"turno":0}],"ok":null}`)},
	{Name: "keys-in-other-case", Doc: "Turno and ID beside turno and id, with other values", Want: pass,
		body: text(`{"Turno":1,"id":"{id}","turno":{n},"ID":"x","TURNO":2}`)},
	{Name: "unrelated-twice", Doc: "a key that is neither id nor turno comes twice", Want: pass,
		body: text(`{"x":1,"id":"{id}","x":"2","turno":{n}}`)},
	{Name: "escapes", Doc: "unicode escapes in the keys and the id's", Want: pass,
		body: text(`{"\u0069d":"{id}","tur\u006eo":{n}}`)},
	{Name: "decimal", Doc: "42 written as 42.0", Want: remarked, body: text(`{"id":"{id}","turno":{n}.0}`)},
	{Name: "exponent", Doc: "42 written as 4.2e1", Want: remarked, body: text(`{"id":"{id}","turno":{sci}}`)},
	{Name: "exponent-negative", Doc: "42 written as 4200E-2", Want: remarked, body: text(`{"id":"{id}","turno":{n}00E-2}`)},
	{Name: "other-names", Doc: "the number is n, the id is queue", Want: pass,
		Args: []string{"--field", "n", "--id-field", "queue"}, body: text(`{"n":{n},"queue":"{id}"}`)},
	{Name: "nested", Doc: "the number is in data", Want: pass,
		Args: []string{"--field", "data.turno"}, body: text(`{"id":"{id}","data":{"turno":{n}}}`)},
	{Name: "nested-id", Doc: "number and id are both inside", Want: pass,
		Args: []string{"--field", "data.turno", "--id-field", "data.queue.name"},
		body: text(`{"data":{"queue":{"name":"{id}"},"turno":{n}}}`)},
	{Name: "no-id-asked", Doc: "a number and no id, and the user does not ask for one", Want: pass,
		Args: []string{"--id-field", ""}, body: text(`{"turno":{n}}`)},
	// Transport.
	{Name: "ipv6", Doc: "listens on [::1]", Want: pass, ipv6: true},
	{Name: "tls", Doc: "TLS, one connection an answer", Want: pass, tls: true, Args: []string{"--rate", "60"},
		wire: ending(framed(statusOK+isJSON+"Connection: close\r\n"+length, blank))},
	{Name: "tls-keep-alive", Doc: "TLS", Want: pass, tls: true},
	{Name: "two-nodes", Doc: "two listeners, one counter, no blocks", Want: pass, Nodes: 2},
	// Numbers skipped on purpose.
	{Name: "jumps", Doc: "skips a million numbers, as when its store went back, and declares them",
		Want: Want{Verdict: history.Pass, Skipped: 1_000_000}, After: 300, Margin: 1_000_000, number: jumping, declares: whatItSkips},
	// Speed.
	{Name: "slow", Doc: "thinks 20 ms about every request", Want: pass, Latency: 20 * time.Millisecond,
		Args: []string{"--rate", "400", "--connections", "32"}, act: thinking},
	{Name: "capacity", Doc: "serves exactly Rate a second, first come first served",
		Want: Want{Verdict: history.Pass, MaxRate: 2000}, Rate: 2000, act: limited},
	{Name: "capacity-exceeded", Doc: "serves exactly Rate a second, which is less than is asked",
		Want: Want{Verdict: history.SLOMissed}, Rate: 400, act: limited},
}
