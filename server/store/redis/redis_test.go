package redis

import (
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
	"github.com/turnomatico/tmctl/server/store/storetest"
	"log/slog"
)

// graceOfTests is how long nodes of tests wait: they are told when to look, so that it need not be long.
const graceOfTests = 20 * time.Millisecond

// open opens a node.
func open(t testing.TB, url string, maxIDs int) *Store {
	t.Helper()
	o, err := Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	o.Grace = graceOfTests
	s, err := o.Open(t.Context(), maxIDs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	storetest.Run(t, func(t *testing.T) storetest.Place {
		r.Run("FLUSHALL")
		return storetest.Place{Open: func(t *testing.T) server.Store { return open(t, r.URL(), storetest.MaxIDs) }, Lasts: true}
	})
}
