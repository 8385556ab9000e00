package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/turnomatico/tmctl/server"
)

// listening is the script command `listening LOG`: it waits until the JSON log of serve says so, and sets $ADDR and $ADMIN.
func listening(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listening LOG")
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		log, _ := os.ReadFile(ts.MkAbs(args[0]))
		for line := range strings.Lines(string(log)) {
			var l struct{ Msg, Addr, Admin string }
			if json.Unmarshal([]byte(line), &l) == nil && l.Msg == server.ListeningMessage {
				ts.Setenv("ADDR", l.Addr)
				ts.Setenv("ADMIN", l.Admin)
				return
			}
		}
	}
	ts.Fatalf("%s did not say %q in 30 s", args[0], server.ListeningMessage)
}

// request is the script command `[!] request METHOD URL`: it prints the answer. With !, nobody may answer.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: request METHOD URL")
	}
	req, err := http.NewRequest(args[0], args[1], nil)
	ts.Check(err)
	req.Close = true // a server that stops shall not wait for us
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if !neg {
			ts.Fatalf("%s %s: %v", args[0], args[1], err)
		}
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if neg {
		ts.Fatalf("%s %s was answered: %s", args[0], args[1], resp.Status)
	}
	fmt.Fprintf(ts.Stdout(), "%s\n%s\n", resp.Status, body)
}

// exitCode is the script command `exitcode N COMMAND…`: it runs the command and wants that code.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode N[|N…] COMMAND…")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if want := args[0]; !slices.Contains(strings.Split(want, "|"), strconv.Itoa(code)) {
		ts.Fatalf("exit code %d; want %s", code, want)
	}
}

// occupy listens on a port for as long as the script runs, and sets $TAKEN to it.
func occupy(e *testscript.Env) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	e.Defer(func() { l.Close() })
	e.Setenv("TAKEN", l.Addr().String())
	return nil
}
