package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// What goes into a link comes out of it, in order, both ways; when one side ends, so does the other.
func TestLink(t *testing.T) {
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	l, err := delayed(t.Context(), far.Addr().String(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	server, err := far.Accept()
	if err != nil {
		t.Fatal(err)
	}
	said := bytes.Repeat([]byte("0123456789"), 50_000)
	for name, way := range map[string][2]net.Conn{"there": {near, server}, "back": {server, near}} {
		go way[0].Write(said)
		heard := make([]byte, len(said))
		if _, err := io.ReadFull(way[1], heard); err != nil || !bytes.Equal(heard, said) {
			t.Errorf("%s: %v, or other bytes; want %d as they were said", name, err, len(said))
		}
	}
	server.Close()
	if _, err := near.Read(make([]byte, 1)); err == nil {
		t.Error("the near side is open though the far one has ended")
	}
}

// An answer as before is one of several in a row: what comes before a failure does not count.
func TestAsBefore(t *testing.T) {
	var asked, failed atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := asked.Add(1); n == 1 || n == 5 {
			failed.Store(time.Now().UnixNano())
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	since, err := asBefore(t.Context(), s.URL, time.Minute)
	if err != nil || asked.Load() != 5+inARow || since.UnixNano() < failed.Load() {
		t.Errorf("asBefore = %s, %v after %d requests; want one after the last failure, after %d", since, err, asked.Load(), 5+inARow)
	}
}

func TestOverloadRows(t *testing.T) {
	runs := series{{rate: 96, maximum: 100, sent: 290, due: 300, refused: 67, recovery: 10, aloneP99: 1, politeP99: 3, politeError: 0},
		{rate: 85, maximum: 100, sent: 290, due: 300, refused: 67, recovery: 3000, aloneP99: 1, politeP99: 3, politeError: 0}}
	var verdicts []string
	for _, r := range overloadRows([]overloaded{{name: "x"}}, map[string]series{"x": runs}) {
		verdicts = append(verdicts, r.Verdict)
	}
	want := []string{enough, notJudged, notJudged, short, notJudged, enough}
	for i := range want {
		if i >= len(verdicts) || verdicts[i] != want[i] {
			t.Fatalf("verdicts = %q; want %q: nine tenths in the middle, 2 s at the worst", verdicts, want)
		}
	}
}
