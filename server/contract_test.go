package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

const host = "Host: x\r\n"

var (
	id64      = strings.Repeat("a", 64)
	longID    = strings.Repeat("a", 65)
	bigHeader = "X-Big: " + strings.Repeat("x", server.MaxHeader) + "\r\n"
	bigBody   = strings.Repeat("x", server.MaxBody+1)
)

// Each request is sent on a connection of its own to a server of its own, and takes a number of grupo1 or nothing at all.
func TestContract(t *testing.T) {
	tests := []struct {
		name, request string
		status        int
		code          api.Code // empty: a 200 with the number 1
	}{
		{"GET", "GET /turno/grupo1 HTTP/1.1\r\n" + host + "\r\n", 200, ""},
		{"POST without a body", "POST /turno/grupo1 HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", 200, ""},
		{"POST without a length", "POST /turno/grupo1 HTTP/1.1\r\n" + host + "\r\n", 200, ""},
		{"POST with a small body", "POST /turno/grupo1 HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\nhi", 200, ""},
		{"POST with a chunked body", "POST /turno/grupo1 HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, ""},
		{"POST with a form that is none", "POST /turno/grupo1 HTTP/1.1\r\n" + host +
			"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 2\r\n\r\nhi", 200, ""},
		{"GET with a body", "GET /turno/grupo1 HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\nhi", 200, ""},
		{"a query", "GET /turno/grupo1?n=5&next=http://y/turno/other HTTP/1.1\r\n" + host + "\r\n", 200, ""},
		{"lower-case headers", "GET /turno/grupo1 HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\n\r\n", 200, ""},
		{"absolute form", "GET http://x:7017/turno/grupo1 HTTP/1.1\r\n" + host + "\r\n", 200, ""},
		{"HTTP/1.0", "GET /turno/grupo1 HTTP/1.0\r\n\r\n", 200, ""},

		{"HEAD", "HEAD /turno/grupo1 HTTP/1.1\r\n" + host + "\r\n", 405, api.Method},
		{"PUT", "PUT /turno/grupo1 HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", 405, api.Method},
		{"DELETE", "DELETE /turno/grupo1 HTTP/1.1\r\n" + host + "\r\n", 405, api.Method},
		{"OPTIONS", "OPTIONS /turno/grupo1 HTTP/1.1\r\n" + host + "\r\n", 405, api.Method},
		{"a method of one's own", "TAKE /turno/grupo1 HTTP/1.1\r\n" + host + "\r\n", 405, api.Method},
		{"get is not GET", "get /turno/grupo1 HTTP/1.1\r\n" + host + "\r\n", 405, api.Method},

		{"percent-encoded", "GET /turno/grup%6F1 HTTP/1.1\r\n" + host + "\r\n", 400, api.BadID},
		{"a space encoded", "GET /turno/grupo%201 HTTP/1.1\r\n" + host + "\r\n", 400, api.BadID},
		{"no id", "GET /turno/ HTTP/1.1\r\n" + host + "\r\n", 400, api.BadID},
		{"65 characters", "GET /turno/" + longID + " HTTP/1.1\r\n" + host + "\r\n", 400, api.BadID},
		{"a slash at the end", "GET /turno/grupo1/ HTTP/1.1\r\n" + host + "\r\n", 400, api.BadID},
		{"dot dot", "GET /turno/.. HTTP/1.1\r\n" + host + "\r\n", 400, api.BadID},
		{"by way of dot dot", "GET /turno/a/../grupo1 HTTP/1.1\r\n" + host + "\r\n", 400, api.BadID},
		{"an accent", "GET /turno/gr\xc3\xbapo HTTP/1.1\r\n" + host + "\r\n", 400, api.BadID},

		{"another path", "GET / HTTP/1.1\r\n" + host + "\r\n", 404, api.NotFound},
		{"the path without its slash", "GET /turno HTTP/1.1\r\n" + host + "\r\n", 404, api.NotFound},
		{"two slashes", "GET //turno/grupo1 HTTP/1.1\r\n" + host + "\r\n", 404, api.NotFound},
		{"upper case", "GET /Turno/grupo1 HTTP/1.1\r\n" + host + "\r\n", 404, api.NotFound},
		{"the admin plane is not here", "GET /metrics HTTP/1.1\r\n" + host + "\r\n", 404, api.NotFound},
		{"HEAD elsewhere", "HEAD / HTTP/1.1\r\n" + host + "\r\n", 404, api.NotFound},

		{"not HTTP", "hello\r\n\r\n", 400, api.BadRequest},
		{"TLS", "\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, api.BadRequest},
		{"no host", "GET /turno/grupo1 HTTP/1.1\r\n\r\n", 400, api.BadRequest},
		{"two lengths", "POST /turno/grupo1 HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi", 400, api.BadRequest},
		{"a length that is none", "POST /turno/grupo1 HTTP/1.1\r\n" + host + "Content-Length: x\r\n\r\n", 400, api.BadRequest},
		{"broken chunks", "POST /turno/grupo1 HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n", 400, api.BadRequest},
		{"a space before the colon", "GET /turno/grupo1 HTTP/1.1\r\n" + host + "X-A : b\r\n\r\n", 400, api.BadRequest},
		{"headers too large", "GET /turno/grupo1 HTTP/1.1\r\n" + host + bigHeader + "\r\n", 431, api.BadRequest},
		{"a body too large", fmt.Sprintf("POST /turno/grupo1 HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", host, len(bigBody), bigBody),
			413, api.BadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := memory.New(server.Bounds{IDs: 10})
			got := run(t, store, nil).ask(tt.request)
			method, _, _ := strings.Cut(tt.request, " ")
			if tt.code == "" {
				checkTurno(t, got, `{"id":"grupo1","turno":1}`)
			} else {
				checkProblem(t, got, method, tt.status, tt.code, api.ConsumedNo)
			}
			wantTaken := map[bool]uint64{true: 1}[tt.code == ""]
			if n, ids := taken(t, store, "grupo1"), store.Info().IDs; n != wantTaken || ids != int(wantTaken) {
				t.Errorf("the request took %d numbers and made %d ids; want %d", n, ids, wantTaken)
			}
		})
	}
}

// checkTurno wants a number, and nothing that lets a cache keep it.
func checkTurno(t *testing.T, a answer, body string) {
	t.Helper()
	if a.StatusCode != http.StatusOK || a.body != body {
		t.Errorf("answer = %d %s; want 200 %s", a.StatusCode, a.body, body)
	}
	want := map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Etag": "", "Server": "", api.ConsumedHeader: ""}
	for name, value := range want {
		if got := a.Header.Get(name); got != value {
			t.Errorf("%s: %q; want %q", name, got, value)
		}
	}
}

// checkProblem wants an error that says its code and what became of the number.
func checkProblem(t *testing.T, a answer, method string, status int, code api.Code, consumed string) {
	t.Helper()
	want := map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store", api.ConsumedHeader: consumed}
	switch code {
	case api.Method:
		want["Allow"] = "GET, POST"
	case api.Overloaded:
		want["Retry-After"] = "1"
	}
	for name, value := range want {
		if got := a.Header.Get(name); got != value {
			t.Errorf("%s: %q; want %q", name, got, value)
		}
	}
	if method == http.MethodHead {
		if a.StatusCode != status || a.body != "" {
			t.Errorf("answer = %d %q; want %d and no body", a.StatusCode, a.body, status)
		}
		return
	}
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("answer = %d %q: %v", a.StatusCode, a.body, err)
	}
	if a.StatusCode != status || p.Status != status || p.Code != code || p.Title == "" || p.Detail == "" || p.Type == "" {
		t.Errorf("answer = %d %+v; want %d %s, complete", a.StatusCode, p, status, code)
	}
}

func TestIDsOfEveryLength(t *testing.T) {
	r := run(t, memory.New(server.Bounds{IDs: 10}), nil)
	for _, id := range []string{"a", "A.b_c-9", id64, "..."} {
		checkTurno(t, r.ask("GET /turno/"+id+" HTTP/1.1\r\n"+host+"\r\n"), fmt.Sprintf(`{"id":%q,"turno":1}`, id))
	}
}

func TestConnectionsAreKept(t *testing.T) {
	tests := []struct {
		name, request string
		kept          bool
	}{
		{"HTTP/1.1", "GET /turno/a HTTP/1.1\r\n" + host + "\r\n", true},
		{"HTTP/1.1 with close", "GET /turno/a HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n", false},
		{"HTTP/1.0", "GET /turno/a HTTP/1.0\r\n\r\n", false},
		{"HTTP/1.0 with keep-alive", "GET /turno/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
		{"after a refusal", "GET /turno/%20 HTTP/1.1\r\n" + host + "\r\n", true},
		{"after HEAD", "HEAD /turno/a HTTP/1.1\r\n" + host + "\r\n", true},
		{"after chunks", "POST /turno/a HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"after a length and chunks", "POST /turno/a HTTP/1.1\r\n" + host +
			"Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"after what is not HTTP", "hello\r\n\r\n", false},
	}
	for _, tt := range tests {
		c := run(t, memory.New(server.Bounds{IDs: 10}), nil).dial()
		c.send(tt.request)
		method, _, _ := strings.Cut(tt.request, " ")
		c.receive(method)
		_, _ = fmt.Fprint(c, tt.request) // may find the connection closed already
		if _, err := read(c.r, method); (err == nil) != tt.kept {
			t.Errorf("%s: the second request on the connection got %v; want kept = %t", tt.name, err, tt.kept)
		}
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	c := run(t, memory.New(server.Bounds{IDs: 10}), nil).dial()
	c.send(strings.Repeat("GET /turno/a HTTP/1.1\r\n"+host+"\r\n", 5) + "HEAD /turno/a HTTP/1.1\r\n" + host + "\r\n" +
		"POST /turno/a HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabcGET /turno/a HTTP/1.1\r\n" + host + "\r\n")
	for i := range 5 {
		checkTurno(t, c.receive("GET"), fmt.Sprintf(`{"id":"a","turno":%d}`, i+1))
	}
	checkProblem(t, c.receive("HEAD"), "HEAD", 405, api.Method, api.ConsumedNo)
	checkTurno(t, c.receive("POST"), `{"id":"a","turno":6}`)
	checkTurno(t, c.receive("GET"), `{"id":"a","turno":7}`)
}

func TestRequestInPieces(t *testing.T) {
	c := run(t, memory.New(server.Bounds{IDs: 10}), nil).dial()
	for _, b := range "GET /turno/a HTTP/1.1\r\n" + host + "\r\n" {
		c.send(string(b))
	}
	checkTurno(t, c.receive("GET"), `{"id":"a","turno":1}`)
}

func TestExpectContinue(t *testing.T) {
	c := run(t, memory.New(server.Bounds{IDs: 10}), nil).dial()
	c.send("POST /turno/a HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	if a := c.receive("POST"); a.StatusCode != http.StatusContinue {
		t.Fatalf("answer = %d; want 100", a.StatusCode)
	}
	c.send("hi")
	checkTurno(t, c.receive("POST"), `{"id":"a","turno":1}`)
}
