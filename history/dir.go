package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Files of a run directory.
const (
	RunFile     = "run.json"
	HistoryFile = "history.tmh"
	JournalFile = "journal.ndjson"
)

// ErrHoldsRun is returned by CreateDir for a directory that has a run in it.
var ErrHoldsRun = errors.New("it holds a run already")

// CreateDir makes dir (and those above it) and makes sure, before any load is sent, that a run can be written there.
func CreateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("create run directory: %w", err)
	}
	for _, name := range []string{RunFile, HistoryFile, JournalFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("create run directory %s: %w", dir, ErrHoldsRun)
		}
	}
	probe, err := os.CreateTemp(dir, ".tmctl-*") // permission bits don't tell: root, read-only mounts, quotas
	if err != nil {
		return fmt.Errorf("write to run directory: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// NewDir makes a directory of its own for a run that starts now, base/20261121T101502Z, and returns its path. A second
// run in the same second gets -2, and so on.
func NewDir(base string, now time.Time) (string, error) {
	if err := os.MkdirAll(base, 0o777); err != nil {
		return "", fmt.Errorf("create run directory: %w", err)
	}
	name := filepath.Join(base, now.UTC().Format("20060102T150405Z"))
	for n := 1; ; n++ {
		dir := name
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", name, n)
		}
		err := os.Mkdir(dir, 0o777)
		if err == nil {
			return dir, CreateDir(dir)
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("create run directory: %w", err)
		}
	}
}

// WriteRun writes run.json whole or not at all: a reader never sees half of it.
func WriteRun(dir string, r *Run) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", RunFile, err)
	}
	f, err := os.CreateTemp(dir, "."+RunFile+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", RunFile, err)
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, RunFile))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", RunFile, err), os.Remove(f.Name()))
	}
	return nil
}

// ReadRun reads run.json. The error is fs.ErrNotExist when dir has none.
func ReadRun(dir string) (*Run, error) {
	b, err := os.ReadFile(filepath.Join(dir, RunFile))
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	r := new(Run)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, RunFile), err)
	}
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, RunFile), err)
	}
	r.upgrade()
	return r, nil
}
