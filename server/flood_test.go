package server_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// A flood of connections, of headers that don't end, and of ids costs no more files, memory and ids than are allowed, and
// afterwards nothing. Files and memory are those of clients and server together.
func TestFloodIsBounded(t *testing.T) {
	const most, crowd = 200, 800
	store := memory.New(server.Bounds{IDs: 10})
	r := run(t, store, func(c *server.Config) { c.MaxConns = most })
	files, heap := used()
	var clients []net.Conn
	for i := range crowd {
		c, err := net.Dial("tcp", r.Addr())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		_, _ = fmt.Fprintf(c, "GET /turno/id%d HTTP/1.1\r\n%s\r\nGET /turno/grupo1 HTTP/1.1\r\n%s", i, host, many("X-%05d: b\r\n", 500))
		if r.Connections() > most {
			t.Fatalf("%d connections are open; want %d at most", r.Connections(), most)
		}
	}
	for r.Refused() < crowd-most || r.Reading()+r.Idle() < most {
		runtime.Gosched()
	}
	if now, _ := used(); runtime.GOOS == "linux" && now > files+crowd+most+server.Lingerers {
		t.Errorf("%d files are open, %d before; want those of %d clients and %d connections more at most", now, files, crowd, most)
	}
	if _, now := used(); now > heap+most*64<<10+crowd*8<<10 {
		t.Errorf("%d KB of memory are used, %d KB before; want less than 64 KB more a connection", now>>10, heap>>10)
	}
	if ids := store.Info().IDs; ids != 10 {
		t.Errorf("%d ids live; want 10", ids)
	}
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() {
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		})
	}
	all.Wait()
	r.awaitConnections(0)
	if now, _ := used(); now > files+server.Lingerers { // the last ones refused have a second to read
		t.Errorf("%d files are open, %d before", now, files)
	}
	r.ask("GET /turno/id0 HTTP/1.1\r\n" + host + "\r\n")
	r.end()
	if now, _ := used(); now > files {
		t.Errorf("%d files are open after the end, %d before", now, files)
	}
}

// used is how many files this process has open (0: not known here), and its heap after a collection.
func used() (files int, heap uint64) {
	entries, _ := os.ReadDir("/proc/self/fd")
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return len(entries), m.HeapAlloc
}
