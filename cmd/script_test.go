package cmd

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/turnomatico/tmctl/loadgen/targettest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMain lets a script run tmctl as a process of its own: `exec tmctl …` is this test binary calling Main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tmctl": func() { os.Exit(Main()) }})
}

// TestScripts runs every testdata/script/<command>-<case>.txtar; a new file is a new test.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"record": recordRun, "waitfor": waitFor, "servergone": serverGone,
			"listening": listening, "request": request, "exitcode": exitCode, "redis": redisCommand, "certificate": certificate, "honeycomb": honeycombStandIn},
		Condition: condition,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			useRedis(e)
			srv, err := targettest.Listen(targettest.Named("plain")) // a right turn server, for whoever wants one
			if err != nil {
				return err
			}
			e.Defer(srv.Close)
			e.Setenv("TARGET", srv.URL())
			return occupy(e)
		},
	})
}

// condition is what a script may ask besides testscript's own: [mounts] is that file systems can be mounted in a namespace.
func condition(name string) (bool, error) {
	if name != "mounts" {
		return false, fmt.Errorf("no such condition")
	}
	return exec.Command("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/tmp").Run() == nil, nil
}

// waitFor is the script command `waitfor FILE [TEXT]`: it waits until the file is there, and holds the text.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: waitfor FILE [TEXT]")
	}
	var text []byte
	if len(args) == 2 {
		text = []byte(args[1])
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if b, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && bytes.Contains(b, text) {
			return
		}
	}
	ts.Fatalf("%s did not come in 30 s, or lacks %q", args[0], text)
}

var servePID = regexp.MustCompile(`started tmctl serve \(pid (\d+)\)`)

// serverGone is the script command `servergone`: the server that the last demo started has ended.
func serverGone(ts *testscript.TestScript, neg bool, args []string) {
	m := servePID.FindStringSubmatch(ts.ReadFile("stderr"))
	if neg || len(args) > 0 || m == nil {
		ts.Fatalf("no `started tmctl serve (pid …)` on stderr")
	}
	pid, err := strconv.Atoi(m[1])
	ts.Check(err)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil {
			return
		}
	}
	ts.Fatalf("tmctl serve, pid %d, is still there", pid)
}
