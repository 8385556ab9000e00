package file

import (
	"errors"
	"io/fs"
	"syscall"
)

var (
	// ErrInUse is why Open fails when another process has the directory.
	ErrInUse = errors.New("another process has it")
	// ErrDamaged is why Open fails when the file could not be trusted. It is left as it is.
	ErrDamaged = errors.New("the file is damaged")
	// ErrForeign is why Open fails when what is there is not a store of this program's, or one of a newer version's.
	ErrForeign = errors.New("not a store of this program")
)

// OpenError is why Open failed.
type OpenError struct {
	Dir  string
	Err  error  // one of this package's, or what the system said
	Hint string // what to do about it, for people
}

func (e *OpenError) Error() string { return "open the store in " + e.Dir + ": " + e.Err.Error() }

func (e *OpenError) Unwrap() error { return e.Err }

// explain adds what to do about an error of opening dir.
func explain(dir string, err error) *OpenError {
	hints := []struct {
		when error
		hint string
	}{
		{ErrInUse, "a directory has one process: stop the other one, or name another directory; nodes that share counters need redis://"},
		{ErrDamaged, "nothing was changed. Restore a copy of the directory that is not older than the last number given; " +
			"or name a new directory, and move its counters beyond what clients have seen (tmctl counters set)"},
		{ErrForeign, "name a directory of its own, or one that this version of tmctl made; nothing was changed"},
		{fs.ErrPermission, "the user that runs tmctl must be able to read and write it, and what is in it"},
		{syscall.EROFS, "the file system is mounted read-only: mount it for writing, or name a directory on another"},
		{syscall.ENOSPC, "the disk is full: make room (df -h, df -i), or name a directory on another"},
		{syscall.EDQUOT, "this user's share of the disk is full: make room, or name a directory on another"},
		{syscall.ENOTDIR, "part of the path is a file: name a directory"},
		{syscall.EISDIR, "a file of the store is a directory: name another directory for it"},
		{syscall.EIO, "the disk failed: see the system's log (dmesg)"},
	}
	for _, h := range hints {
		if errors.Is(err, h.when) {
			return &OpenError{Dir: dir, Err: err, Hint: h.hint}
		}
	}
	return &OpenError{Dir: dir, Err: err, Hint: "name a directory on a local disk that tmctl can read and write"}
}
