package cmd

import (
	"errors"
	"fmt"
	"io"
)

// Exit codes of every command. They are a contract (docs/cli.md).
const (
	exitPass         = 0   // done; a verdict is pass
	exitFailed       = 1   // could not run
	exitUsage        = 2   // the command line is off
	exitSLOMissed    = 3   // the target did not meet its objective
	exitViolated     = 4   // a number was wrong
	exitInconclusive = 5   // the run proves nothing either way
	exitInterrupted  = 130 // ^C
)

// exitError ends a command with a code. A nil err ends it silently: the command has already said everything.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError is a command line that can't be run; hint says what to write instead.
func usageError(hint, format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

// withHint adds what to do about err.
func withHint(err error, hint string) error {
	return &exitError{code: exitFailed, err: err, hint: hint}
}

// exitWith ends the command with a code, all said.
func exitWith(code int) error {
	if code == exitPass {
		return nil
	}
	return &exitError{code: code}
}

// fail prints err for a person and returns the exit code it stands for.
func fail(w io.Writer, err error) int {
	if err == nil {
		return exitPass
	}
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{code: exitFailed, err: err}
	}
	if e.err != nil {
		fmt.Fprintf(w, "error: %v\n", err)
	}
	if e.hint != "" {
		fmt.Fprintf(w, "hint: %s\n", e.hint)
	}
	return e.code
}
