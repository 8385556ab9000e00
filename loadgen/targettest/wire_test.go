package targettest

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"
)

// What the first request is answered with, byte for byte; "…" stands for anything.
const (
	head    = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
	rightly = `{"id":"a","turno":1}`
	problem = "Content-Type: application/problem+json\r\n"
)

func sized(n, text string) string { return head + "Content-Length: " + n + "\r\n\r\n" + text }

var firstAnswers = map[string]string{
	"plain":             sized("20", rightly),
	"chunked":           head + "Transfer-Encoding: chunked\r\n\r\n14\r\n" + rightly + "\r\n0\r\n\r\n",
	"chunked-small":     head + "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"i\r\n3\r\nd\":\r\n3\r\n\"a\"\r\n3\r\n,\"t\r\n3\r\nurn\r\n3\r\no\":\r\n2\r\n1}\r\n0\r\n\r\n",
	"chunked-split":     head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n5\r\n:\"a\",\r\n5\r\n\"turn\r\n5\r\no\":1}\r\n0\r\n\r\n",
	"chunked-extended":  head + "Transfer-Encoding: chunked\r\n\r\n9;a=b\r\n{\"id\":\"a\"\r\n9;a=b\r\n,\"turno\":\r\n2;a=b\r\n1}\r\n0\r\nX-Sum: 1\r\n\r\n",
	"connection-close":  head + "Connection: close\r\nContent-Length: 20\r\n\r\n" + rightly,
	"until-close":       head + "Connection: close\r\n\r\n" + rightly,
	"http10":            "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + rightly,
	"http10-length":     "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n" + rightly,
	"http10-keep-alive": "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\nContent-Length: 20\r\n\r\n" + rightly,
	"pieces":            sized("20", rightly),
	"bytes":             sized("20", rightly),
	"lower-case":        "HTTP/1.1 200 \r\ncontent-type:application/json\r\ncontent-length:20\r\n\r\n" + rightly,
	"large-headers":     head + "Set-Cookie: c000=xxxx…xxxx\r\nSet-Cookie: c001=xxx…xxx\r\nContent-Length: 20\r\n\r\n" + rightly,
	"continue-first":    "HTTP/1.1 100 Continue\r\n\r\n" + sized("20", rightly),
	"early-hints":       "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n" + sized("20", rightly),

	"white-space":        sized("33", "\r\n{\n\t\"id\" : \"a\" ,\n\t\"turno\" :\t1\n}\n"),
	"key-order":          sized("20", `{"turno":1,"id":"a"}`),
	"more-fields":        sized("…", `{"at":{"id":"x","turno":7},"note":"}\"turno\":1","id":"a","turno":1,"list":[{"turno":0}],"ok":null}`),
	"keys-in-other-case": sized("…", `{"Turno":1,"id":"a","turno":1,"ID":"x","TURNO":2}`),
	"unrelated-twice":    sized("…", `{"x":1,"id":"a","x":"2","turno":1}`),
	"escapes":            sized("…", `{"\u0069d":"a","tur\u006eo":1}`),
	"decimal":            sized("22", `{"id":"a","turno":1.0}`),
	"exponent":           sized("24", `{"id":"a","turno":1.0e0}`),
	"exponent-negative":  sized("25", `{"id":"a","turno":100E-2}`),
	"other-names":        sized("19", `{"n":1,"queue":"a"}`),
	"nested":             sized("29", `{"id":"a","data":{"turno":1}}`),
	"nested-id":          sized("41", `{"data":{"queue":{"name":"a"},"turno":1}}`),
	"no-id-asked":        sized("11", `{"turno":1}`),

	"404": "HTTP/1.1 404 Not Found\r\n" + problem + "Content-Length: …\r\n\r\n{…\"status\":404,\"code\":\"not_found\"}",
	"500": "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 30\r\n\r\n<h1>Internal Server Error</h1>",
	"201": "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: 20\r\n\r\n" + rightly,
	"202": "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: 20\r\n\r\n" + rightly,
	"204": "HTTP/1.1 204 No Content\r\n\r\n",
	"304": "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n",
	"302": "HTTP/1.1 302 Found\r\nLocation: /elsewhere/a\r\nContent-Length: 0\r\n\r\n",
	"307": "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere/a\r\nContent-Length: 0\r\n\r\n",

	"garbage":       "SSH-2.0-OpenSSH_9.2p1\r\n",
	"surplus":       sized("20", rightly) + "\r\nwritten by accident\r\n",
	"answers-twice": sized("20", rightly) + sized("20", rightly),
	"starts-at-2":   sized("20", `{"id":"a","turno":2}`),
	"starts-at-0":   sized("20", `{"id":"a","turno":0}`),

	"turno-string":        sized("22", `{"id":"a","turno":"1"}`),
	"turno-null":          sized("23", `{"id":"a","turno":null}`),
	"turno-true":          sized("23", `{"id":"a","turno":true}`),
	"turno-array":         sized("22", `{"id":"a","turno":[1]}`),
	"turno-object":        sized("30", `{"id":"a","turno":{"turno":1}}`),
	"turno-fraction":      sized("22", `{"id":"a","turno":1.5}`),
	"turno-tiny-fraction": sized("41", `{"id":"a","turno":1.00000000000000000001}`),
	"turno-zero":          sized("20", `{"id":"a","turno":0}`),
	"turno-negative":      sized("21", `{"id":"a","turno":-1}`),
	"turno-2-53":          sized("35", `{"id":"a","turno":9007199254740992}`),
	"turno-1e400":         sized("24", `{"id":"a","turno":1e400}`),
	"turno-huge-exponent": sized("30", `{"id":"a","turno":1e999999999}`),
	"turno-missing":       sized("10", `{"id":"a"}`),
	"turno-capital":       sized("20", `{"id":"a","Turno":1}`),
	"id-other":            sized("24", `{"id":"other","turno":1}`),
	"id-missing":          sized("11", `{"turno":1}`),
	"id-number":           sized("18", `{"id":7,"turno":1}`),
	"id-longer":           sized("21", `{"id":"a2","turno":1}`),
	"html":                sized("35", "<!doctype html><p>Your number is 1."),
	"empty":               sized("0", ""),
	"number-alone":        sized("1", "1"),
	"json-array":          sized("22", `[{"id":"a","turno":1}]`),
	"json-truncated":      sized("19", `{"id":"a","turno":1`),
	"json-twice":          sized("40", `{"id":"a","turno":1}{"id":"a","turno":1}`),
	"leading-zero":        sized("21", `{"id":"a","turno":01}`),
	"byte-order-mark":     sized("23", "\xef\xbb\xbf"+rightly),
	"length-short":        sized("19", rightly),
	"gzip":                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: application/json\r\n…\r\n\r\n\x1f\x8b…",
	"ten-megabytes":       sized("10485793", `{"id":"a","turno":1,"padding":"xxxx…xxxx"}`),
}

func TestFirstAnswerByteForByte(t *testing.T) {
	for name, want := range firstAnswers {
		t.Run(name, func(t *testing.T) {
			got := dial(t, Start(t, Named(name))).raw()
			if !matches(got, want) {
				t.Errorf("got  %.600q\nwant %.600q", got, want)
			}
		})
	}
}

// matches compares with a text in which "…" stands for anything.
func matches(got, want string) bool {
	parts := strings.Split(want, "…")
	rest, ok := strings.CutPrefix(got, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		if _, rest, ok = strings.Cut(rest, p); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, last)
}

func TestTenMegabytesAreWhole(t *testing.T) {
	_, body, _ := strings.Cut(dial(t, Start(t, Named("ten-megabytes"))).raw(), "\r\n\r\n")
	if len(body) != 10485793 {
		t.Errorf("body has %d bytes; want what Content-Length says", len(body))
	}
}

func TestGzipHoldsTheAnswer(t *testing.T) {
	_, body, _ := strings.Cut(dial(t, Start(t, Named("gzip"))).raw(), "\r\n\r\n")
	r, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != rightly || err != nil {
		t.Errorf("unzipped %q, %v; want %q", got, err, rightly)
	}
}

// Answers in pieces arrive in more than one read, or the behaviour would be no test of anything.
func TestPiecesArriveInPieces(t *testing.T) {
	for _, name := range []string{"pieces", "bytes", "chunked-split"} {
		c := dial(t, Start(t, Named(name)))
		c.ask("Connection: close\r\n")
		reads, buf := 0, make([]byte, 4096)
		for {
			n, err := c.nc.Read(buf)
			if n > 0 {
				reads++
			}
			if err != nil {
				break
			}
		}
		if reads < 2 {
			t.Errorf("%s: came in %d reads; want more than one", name, reads)
		}
	}
}

func TestEndlessGoesOnUntilTheClientLeaves(t *testing.T) {
	s := Start(t, Named("endless"))
	c := dial(t, s)
	c.ask("")
	if n, err := io.CopyN(io.Discard, c.br, 5<<20); err != nil {
		t.Errorf("ended after %d bytes: %v", n, err)
	}
	c.leave() // and the server's Close, in the cleanup, returns
}
