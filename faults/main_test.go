//go:build linux

package faults

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
)

var update = flag.Bool("update", false, "write docs/GUARANTEES.md's tables anew")

// atOnce is how many rows are played at the same time: each is several processes, on a machine of perhaps two cores.
const atOnce = 2

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "tmctl-faults")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir) // the tests are what matters
	os.Exit(code)
}

// slow skips a test that takes real servers and seconds, unless it was asked for.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("TMCTL_FAULTS") != "1" {
		t.Skip("the fault matrix takes minutes: make test-faults, or TMCTL_FAULTS=1")
	}
}
