package targettest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server/api"
)

// askWith sends one request for an id with a key, or none, and says in words what came: the number, with * if it is marked.
func (c *client) askWith(id, key string) string {
	c.t.Helper()
	if !c.sendWith(id, key) {
		return "refused"
	}
	return c.readMarked()
}

func (c *client) sendWith(id, key string) bool {
	c.t.Helper()
	if c.nc == nil {
		if err := c.dial(); err != nil {
			return false
		}
	}
	header := ""
	if key != "" {
		header = api.KeyHeader + ": " + key + "\r\n"
	}
	if _, err := fmt.Fprintf(c.nc, "GET /turno/%s HTTP/1.1\r\nHost: x\r\n%s\r\n", id, header); err != nil {
		c.t.Fatal(err)
	}
	return true
}

func (c *client) readMarked() string {
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.leave()
		return "lost"
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return fmt.Sprint(resp.StatusCode)
	}
	text := make([]byte, 64)
	n, _ := resp.Body.Read(text)
	if n < int(resp.ContentLength) {
		c.leave()
		return "lost"
	}
	got := strings.Trim(string(text[:n]), "}")
	got = got[strings.LastIndexByte(got, ':')+1:]
	if resp.Header.Get(api.ReplayedHeader) == "true" {
		got += "*"
	}
	return got
}

// What one client after the other is told, request by request: "a.k" is id a with key k.
func TestAnswersToKeys(t *testing.T) {
	const asked = "a. a.k a.k a.l b.k a.k a. b.k"
	for name, want := range map[string]string{
		"sessions":          "1 2 2* 3 1 2* 4 1*",
		"sessions-thinking": "1 2 2* 3 1 2* 4 1*",
		"sessions-resets":   "1 lost 2* 3 1 2* 4 1*",
		"sessions-maybe":    "1 503 2* 3 1 2* 4 1*",
		"sessions-full":     "1 503 2 3 1 2* 4 1*",
		"ignores-keys":      "1 2 3 4 1 5 6 2",
		"forgets-keys":      "1 lost 3 4 1 3* 5 1*",
		"races-on-keys":     "1 2 2* 3 1 2* 4 1*",
		"unmarked-replays":  "1 2 2 3 1 2 4 1",
		"marks-everything":  "1 2* 2* 3* 1* 2* 4 1*",
		"keys-of-all-ids":   "1 2 2* 3 2* 2* 4 2*",
		"delivers-replays":  "1 2 2* 3 1 2* 4 1*",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := Named(name)
			b.Latency = 0
			if b.Period != 0 {
				b.Period = 1000
			}
			s := Start(t, b)
			c := dial(t, s)
			var got []string
			for i, what := range strings.Fields(asked) {
				if i == 1 {
					s.arrivals.Store(b.Period - min(b.Period, 1)) // it misbehaves now
				}
				id, key, _ := strings.Cut(what, ".")
				got = append(got, c.askWith(id, key))
			}
			if got := strings.Join(got, " "); got != want {
				t.Errorf("answers to %s = %s; want %s", asked, got, want)
			}
		})
	}
}

// A key is silent once, and has its number when it is asked again.
func TestSilentKey(t *testing.T) {
	b := Named("sessions-silent")
	b.Period = 1
	s := Start(t, b)
	dial(t, s).sendWith("a", "k")
	until(t, 1, func() uint64 { return s.Issued("a") })
	if got := dial(t, s).askWith("a", "k"); got != "1*" {
		t.Errorf("the second request = %s; want 1*", got)
	}
}

// Both requests look before one has taken a number.
func TestKeysRace(t *testing.T) {
	b := Named("races-on-keys")
	b.Latency = patience
	s := Start(t, b)
	one, two := dial(t, s), dial(t, s)
	one.sendWith("a", "k")
	two.sendWith("a", "k")
	got := []string{one.readMarked(), two.readMarked()}
	if slices.Sort(got); strings.Join(got, " ") != "1 2" {
		t.Errorf("answers to one key at once = %v; want 1 and 2", got)
	}
}

// The books of one that boasts hold a replay for a number.
func TestBooksOfReplays(t *testing.T) {
	for name, want := range map[string]string{"sessions": "1 1 map[ok:1 replayed:2]", "delivers-replays": "3 3 map[ok:1 replayed:2]"} {
		s := Start(t, Named(name))
		c := dial(t, s)
		for range 3 {
			c.askWith("a", "k")
		}
		snap := look(t, s)
		if got := fmt.Sprint(snap.Ledger.Issued, snap.Ledger.Delivered, snap.Requests); got != want {
			t.Errorf("%s: issued, delivered, requests = %s; want %s", name, got, want)
		}
	}
}
