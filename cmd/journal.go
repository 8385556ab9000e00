package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"syscall"
	"time"

	"github.com/turnomatico/tmctl/journal"
	"github.com/turnomatico/tmctl/server"
)

// journalEnv names the journal of everything that runs and of everyone who works here.
const journalEnv = "TMCTL_JOURNAL"

// defaultJournal is where notes go without a word about it, and where events looks: in the place of the XDG base directories
// for what a program remembers. It is empty for a user without a home.
func defaultJournal(env *Env) string {
	if path := env.Getenv(journalEnv); path != "" {
		return path
	}
	state := env.Getenv("XDG_STATE_HOME")
	if home := env.Getenv("HOME"); !filepath.IsAbs(state) && home != "" {
		state = filepath.Join(home, ".local", "state")
	}
	if state == "" {
		return ""
	}
	return filepath.Join(state, "tmctl", "journal.ndjson")
}

// journalHint says what to do about a journal that can't be written or read.
func journalHint(err error) error {
	hint := "name another file"
	switch {
	case errors.Is(err, fs.ErrPermission):
		hint = "this user may not use it: chgrp and chmod g+rw let a group share it"
	case errors.Is(err, fs.ErrNotExist):
		hint = "make its directory first"
	case errors.Is(err, syscall.ENOSPC):
		hint = "the disk is full: make room (df -h, df -i), or name a file on another"
	case errors.Is(err, syscall.EROFS):
		hint = "the file system is mounted read-only: name a file on another"
	case errors.Is(err, journal.ErrBusy):
		hint = "`fuser -v FILE` says who has it"
	}
	return withHint(err, hint)
}

// journalFlush bounds how long a node that has stopped waits for its journal's disk.
const journalFlush = 2 * time.Second

// nodeJournal is the journal of a node that serves.
type nodeJournal struct {
	*journal.Recorder
	log *slog.Logger
}

var _ server.Recorder = nodeJournal{}

// keepJournal opens the journal of a node.
func keepJournal(env *Env, path string, log *slog.Logger) (nodeJournal, error) {
	w, err := journal.Append(path, journal.DefaultLimits, env.Now)
	if err != nil {
		return nodeJournal{}, journalHint(fmt.Errorf("--journal: %w", err))
	}
	return nodeJournal{journal.NewRecorder(w, log), log}, nil
}

// Record implements server.Recorder.
func (j nodeJournal) Record(e server.Event) {
	j.Recorder.Record(journal.Event{At: e.At, Kind: journal.Kind(e.Kind), Source: "serve", Node: e.Node, Text: e.Text, Data: e.Data})
}

// close writes what waits. That it can't is no reason to end with an error: the numbers are right.
func (j nodeJournal) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalFlush)
	defer cancel()
	if err := j.Recorder.Close(ctx); err != nil {
		j.log.Error("the journal is not complete", "err", err)
	}
}

// journalFor is the journal that serve is to write; empty for none.
func journalFor(env *Env, flag string) string { return cmp.Or(flag, env.Getenv(journalEnv)) }
