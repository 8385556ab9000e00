package server_test

import (
	"fmt"
	"strings"

	"github.com/turnomatico/tmctl/server"
)

// hostile is something that a client does, and what becomes of it. docs/EDGE.md is written from these.
type hostile struct {
	does string   // in the words of the page
	send []string // each is written by itself
	then way      // what it does next
	gets string   // the answers in their order: "200", "100 200", "200 400:bad_request"; empty: none
	ends bool     // the server closes the connection after them
	take uint64   // numbers that are gone
}

// way is what a hostile client does after it has sent.
type way int

const (
	waits    way = iota // reads, as anyone does
	stops               // sends nothing for longer than any time-out
	halfEnds            // closes its sending half
	resets              // resets the connection
)

// hostileTopics are the sections of the page.
var hostileTopics = []struct {
	title string
	rows  []hostile
}{
	{"Where a request ends", framingRows},
	{"What a request looks like", formRows},
	{"Names and targets", targetRows},
	{"Too much", largeRows},
	{"Too slow, or gone", slowRows},
}

const (
	get  = "GET /turno/grupo1 HTTP/1.1\r\nHost: x\r\n"
	post = "POST /turno/grupo1 HTTP/1.1\r\nHost: x\r\n"
)

// one is a request that is sent at once.
func one(request string) []string { return []string{request} }

// target is a request for it.
func target(does, target, gets string) hostile {
	h := hostile{does: does, send: one("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n"), gets: gets, ends: strings.Contains(gets, "bad_request")}
	if gets == "200" {
		h.take = 1
	}
	return h
}

// refused is a request that is refused as none, and whose connection is closed.
func refused(does, request string) hostile {
	return hostile{does: does, send: one(request), gets: "400:bad_request", ends: true}
}

// served is a request that takes a number.
func served(does, request string) hostile {
	return hostile{does: does, send: one(request), gets: "200", take: 1}
}

// lastServed is one whose connection is closed after its answer.
func lastServed(does, request string) hostile {
	return hostile{does: does, send: one(request), gets: "200", ends: true, take: 1}
}

var framingRows = []hostile{
	refused("two Content-Lengths that differ", post+"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!"),
	refused("two Content-Lengths that agree", post+"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"),
	refused("a list of Content-Lengths (`2, 2`)", post+"Content-Length: 2, 2\r\n\r\nhi"),
	refused("Content-Length `+2`", post+"Content-Length: +2\r\n\r\nhi"),
	refused("Content-Length `-1`", post+"Content-Length: -1\r\n\r\n"),
	refused("Content-Length `0x2`", post+"Content-Length: 0x2\r\n\r\nhi"),
	refused("Content-Length beyond 2^64", post+"Content-Length: 99999999999999999999\r\n\r\n"),
	refused("an empty Content-Length", post+"Content-Length:\r\n\r\n"),
	refused("Content-Length and Transfer-Encoding", post+"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	refused("Transfer-Encoding and Content-Length", post+"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
	refused("the same on a GET", get+"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	refused("a second request in a body that only the length has", post+"Content-Length: 71\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+get+"X-A: b\r\n\r\n"),
	refused("Transfer-Encoding twice", post+"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	refused("Transfer-Encoding `chunked, identity`", post+"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
	refused("Transfer-Encoding `identity`", post+"Transfer-Encoding: identity\r\n\r\n"),
	refused("Transfer-Encoding `gzip`", post+"Transfer-Encoding: gzip\r\n\r\n"),
	refused("Transfer-Encoding `xchunked`", post+"Transfer-Encoding: xchunked\r\n\r\n"),
	refused("a control character before `chunked`", post+"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
	refused("`chunked` on the next line (folded)", post+"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
	refused("a space before the colon of Transfer-Encoding", post+"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
	refused("Transfer-Encoding in HTTP/1.0", "POST /turno/grupo1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	lastServed("a chunked body", post+"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
	lastServed("a chunked body with an extension and a trailer", post+"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nX-A: b\r\n\r\n"),
	refused("a trailer that would be a length", post+"Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 5\r\n\r\n"),
	refused("a chunk whose size is none", post+"Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n"),
	refused("a chunk size beyond 2^63", post+"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhi\r\n0\r\n\r\n"),
	refused("a chunk size `-2`", post+"Transfer-Encoding: chunked\r\n\r\n-2\r\nhi\r\n0\r\n\r\n"),
	refused("a chunk longer than its size", post+"Transfer-Encoding: chunked\r\n\r\n2\r\nhiya\r\n0\r\n\r\n"),
	refused("a bare LF after a chunk's size", post+"Transfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n"),
	refused("a bare LF in a chunk's extension", post+"Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\nhi\r\n0\r\n\r\n"),
	served("a body on a GET", get+"Content-Length: 2\r\n\r\nhi"),
	{does: "garbage after a good request, in one piece", send: one(get + "\r\nhello\r\n\r\n"), gets: "200 400:bad_request", ends: true, take: 1},
	{does: "a refused request between two good ones, in one piece", send: one(get + "\r\nGET /turno/%20 HTTP/1.1\r\nHost: x\r\n\r\n" + get + "\r\n"),
		gets: "200 400:bad_id 200", take: 2},
	{does: "a request that smuggles, and a good one after it", send: one(get + "X-A: b\nX-C: d\r\n\r\n" + get + "\r\n"), gets: "400:bad_request", ends: true},
}

var formRows = []hostile{
	refused("a bare LF after a header", "GET /turno/grupo1 HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n"),
	refused("bare LFs throughout", "GET /turno/grupo1 HTTP/1.1\nHost: x\n\n\r\n\r\n"),
	served("a bare LF after the request line (RFC 9112 §2.2 allows it)", "GET /turno/grupo1 HTTP/1.1\nHost: x\r\n\r\n"),
	refused("a bare CR in a header", get+"X-A: b\rX-C: d\r\n\r\n"),
	refused("a NUL in a header", get+"X-A: b\x00c\r\n\r\n"),
	refused("a control character in a header", get+"X-A: b\x07c\r\n\r\n"),
	refused("a header that goes on in the next line", get+"X-A: b\r\n c\r\n\r\n"),
	refused("a first header that begins with a space", "GET /turno/grupo1 HTTP/1.1\r\n Host: x\r\n\r\n"),
	refused("a space in a header's name", get+"X A: b\r\n\r\n"),
	refused("a header without a colon", get+"hello\r\n\r\n"),
	refused("a header without a name", get+": b\r\n\r\n"),
	refused("no Host", "GET /turno/grupo1 HTTP/1.1\r\n\r\n"),
	refused("two Hosts", get+"Host: y\r\n\r\n"),
	served("HTTP/1.1 with an empty line before it", "\r\n"+get+"\r\n"),
	lastServed("HTTP/1.0", "GET /turno/grupo1 HTTP/1.0\r\n\r\n"),
	refused("HTTP/0.9", "GET /turno/grupo1\r\n\r\n"),
	refused("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	refused("HTTP/2.0 in the form of HTTP/1", "GET /turno/grupo1 HTTP/2.0\r\nHost: x\r\n\r\n"),
	refused("HTTP/1.10", "GET /turno/grupo1 HTTP/1.10\r\nHost: x\r\n\r\n"),
	refused("`http/1.1`", "GET /turno/grupo1 http/1.1\r\nHost: x\r\n\r\n"),
	refused("two spaces in the request line", "GET  /turno/grupo1 HTTP/1.1\r\nHost: x\r\n\r\n"),
	refused("a space in the target", "GET /turno/grupo1 x HTTP/1.1\r\nHost: x\r\n\r\n"),
	refused("a NUL in the method", "G\x00T /turno/grupo1 HTTP/1.1\r\nHost: x\r\n\r\n"),
	refused("TLS where HTTP is spoken", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
	refused("what is no protocol at all", "hello\r\n\r\n"),
	{does: "a method in lower case (`get`)", send: one("get /turno/grupo1 HTTP/1.1\r\nHost: x\r\n\r\n"), gets: "405:method"},
	{does: "TRACE", send: one("TRACE /turno/grupo1 HTTP/1.1\r\nHost: x\r\n\r\n"), gets: "405:method"},
	{does: "`OPTIONS *`", send: one("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), gets: "404:not_found"},
	{does: "CONNECT", send: one("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"), gets: "404:not_found"},
	served("Upgrade: h2c (it stays HTTP/1.1)", get+"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
	{does: "`Sec-Purpose: prefetch`", send: one(get + "Sec-Purpose: prefetch\r\n\r\n"), gets: "403:prefetch"},
	{does: "Expect: 100-continue, and the body after it", send: []string{post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", "hi"}, gets: "100 200", take: 1},
	{does: "Expect: 100-continue with a body too large", send: one(post + "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n"),
		gets: "100 413:bad_request", ends: true},
	served("an Expect that is unknown", get+"Expect: miracles\r\n\r\n"),
}

var targetRows = []hostile{
	target("a letter percent-encoded (`%67rupo1`)", "/turno/%67rupo1", "400:bad_id"),
	target("encoded twice (`%2567rupo1`)", "/turno/%2567rupo1", "400:bad_id"),
	target("`%2e%2e`", "/turno/%2e%2e", "400:bad_id"),
	target("`%00`", "/turno/grupo1%00", "400:bad_id"),
	target("`%0d%0a`", "/turno/grupo1%0d%0aX-A:b", "400:bad_id"),
	target("an encoded slash", "/turno%2fgrupo1", "404:not_found"),
	target("`..` as the id", "/turno/..", "400:bad_id"),
	target("by way of `..`", "/turno/../turno/grupo1", "400:bad_id"),
	target("by way of `.`", "/./turno/grupo1", "404:not_found"),
	target("two slashes", "//turno/grupo1", "404:not_found"),
	target("backslashes", `\turno\grupo1`, "400:bad_request"),
	target("a semicolon", "/turno/grupo1;a=b", "400:bad_id"),
	target("UTF-8", "/turno/gr\xc3\xbapo", "400:bad_id"),
	target("what is no UTF-8", "/turno/gr\xffpo", "400:bad_id"),
	target("a NUL", "/turno/grupo1\x00", "400:bad_request"),
	target("a tab", "/turno/gru\tpo1", "400:bad_request"),
	target("DEL", "/turno/grupo1\x7f", "400:bad_request"),
	target("a fragment", "/turno/grupo1#x", "400:bad_request"),
	target("a query (it says nothing here)", "/turno/grupo1?n=5&next=http://y/turno/other", "200"),
	target("the absolute form", "http://x/turno/grupo1", "200"),
	target("the absolute form with another host than Host", "http://y/turno/grupo1", "200"),
	target("the absolute form of another scheme", "ftp://x/turno/grupo1", "200"),
	target("a path that looks like the absolute form", "/a://x/turno/grupo1", "404:not_found"),
	target("no slash before it", "turno/grupo1", "400:bad_request"),
	{does: "two Idempotency-Keys", send: one(post + "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n"), gets: "400:bad_key"},
	{does: "an empty Idempotency-Key", send: one(post + "Idempotency-Key:\r\n\r\n"), gets: "400:bad_key"},
	{does: "an Idempotency-Key in UTF-8", send: one(post + "Idempotency-Key: gr\xc3\xbapo\r\n\r\n"), gets: "400:bad_key"},
}

var largeRows = []hostile{
	target("an id of 65 characters", "/turno/"+strings.Repeat("a", 65), "400:bad_id"),
	target("an id of 7,000 characters", "/turno/"+strings.Repeat("a", 7000), "400:bad_id"),
	{does: "a request line of 10,000 bytes", send: one("GET /turno/" + strings.Repeat("a", 10_000) + " HTTP/1.1\r\nHost: x\r\n\r\n"), gets: "431:bad_request", ends: true},
	{does: "a request line of 1 MB that never ends", send: one("GET /turno/" + strings.Repeat("a", 1<<20)), gets: "431:bad_request", ends: true},
	{does: "an Idempotency-Key of 256 characters", send: one(post + "Idempotency-Key: " + strings.Repeat("k", 256) + "\r\n\r\n"), gets: "400:bad_key"},
	{does: "a header of 10,000 bytes", send: one(get + "X-A: " + strings.Repeat("b", 10_000) + "\r\n\r\n"), gets: "431:bad_request", ends: true},
	served("500 headers, in 7,000 bytes", get+many("X-%05d: b\r\n", 500)+"\r\n"),
	{does: "10,000 headers", send: one(get + many("X-%05d: b\r\n", 10_000) + "\r\n"), gets: "431:bad_request", ends: true},
	served("a body of 4,096 bytes (it is not looked at)", post+"Content-Length: 4096\r\n\r\n"+strings.Repeat("b", server.MaxBody)),
	{does: "a body of 4,097 bytes", send: one(post + "Content-Length: 4097\r\n\r\n" + strings.Repeat("b", server.MaxBody+1)), gets: "413:bad_request", ends: true},
	{does: "the word that 1 TB will follow", send: one(post + "Content-Length: 1099511627776\r\n\r\n"), gets: "413:bad_request", ends: true},
	{does: "chunks of 5,000 bytes in all", send: one(post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("64\r\n"+strings.Repeat("b", 100)+"\r\n", 50)),
		gets: "413:bad_request", ends: true},
	{does: "100 ids where 10 may live, in one piece", send: one(many("GET /turno/id%d HTTP/1.1\r\nHost: x\r\n\r\n", 100)),
		gets: strings.Repeat("200 ", 10) + strings.TrimSpace(strings.Repeat("429:too_many_ids ", 90)), take: 10},
	{does: "1,000 requests in one piece", send: one(strings.Repeat(get+"\r\n", 1000)), gets: strings.TrimSpace(strings.Repeat("200 ", 1000)), take: 1000},
}

var slowRows = []hostile{
	{does: "connects and says nothing, for 90 s", then: stops, gets: "408:bad_request", ends: true},
	{does: "half a request line, then nothing, for 10 s", send: one("GET /turno/gr"), then: stops, gets: "408:bad_request", ends: true},
	{does: "headers without an end, for 10 s", send: []string{get, "X-A: b\r\n", "X-C: d\r\n"}, then: stops, gets: "408:bad_request", ends: true},
	{does: "half a body, for 10 s", send: one(post + "Content-Length: 4\r\n\r\nhi"), then: stops, gets: "408:bad_request", ends: true},
	{does: "half a chunk, for 10 s", send: one(post + "Transfer-Encoding: chunked\r\n\r\n4\r\nhi"), then: stops, gets: "408:bad_request", ends: true},
	{does: "asks, and then says nothing, for 90 s", send: one(get + "\r\n"), then: stops, gets: "200", ends: true, take: 1},
	{does: "asks, and closes its sending half (`nc -N`)", send: one(get + "\r\n"), then: halfEnds, gets: "200", ends: true, take: 1},
	{does: "closes its sending half amid a request", send: one(get), then: halfEnds, gets: "400:bad_request", ends: true},
	{does: "closes its sending half amid a body", send: one(post + "Content-Length: 4\r\n\r\nhi"), then: halfEnds, gets: "400:bad_request", ends: true},
	{does: "resets the connection amid a request", send: one(get), then: resets, ends: true},
	{does: "connects and leaves", then: halfEnds, ends: true},
}

// many is n times format, with the numbers from 0.
func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
