package cmd

import (
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// Env is the process as commands see it; nothing else in this package touches os.*. Out carries the answer, Err the
// conversation (progress, logs, hints), so that `tmctl … > file` holds only what was asked for.
type Env struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
	Now    func() time.Time
	Args   []string // argv[0] and what followed it
	IsTTY  bool     // Err is a terminal: progress may redraw its line
	Width  int      // of that terminal, in columns
}

func osEnv() *Env {
	e := &Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Now: time.Now, Args: os.Args, Width: 80}
	if fd := int(os.Stderr.Fd()); term.IsTerminal(fd) && os.Getenv("TERM") != "dumb" {
		e.IsTTY = true
		if w, _, err := term.GetSize(fd); err == nil && w > 0 {
			e.Width = w
		}
	}
	return e
}

// flagEnv is the environment variable that sets a flag: serve's --max-ids is TMCTL_SERVE_MAX_IDS.
func flagEnv(commandPath, flag string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "_", "-", "_").Replace(commandPath + "_" + flag))
}
