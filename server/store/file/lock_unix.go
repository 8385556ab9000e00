//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockDir makes this process the only one that has a store in dir, until the file is closed or the process ends. bbolt locks
// its file too, but only after it is there. In the lock file stands who has it, for people.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		if errors.Is(err, ErrInUse) {
			err = fmt.Errorf("%w: %s", ErrInUse, holder(f))
		}
		return nil, errors.Join(err, f.Close())
	}
	host, _ := os.Hostname()
	if err := f.Truncate(0); err == nil { // what it says matters to nobody but people: a full disk is no error here
		_, _ = fmt.Fprintf(f, "process %d on %s\n", os.Getpid(), host)
	}
	return f, nil
}

// lock takes the lock that bbolt takes too, without waiting.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return fmt.Errorf("%w: it has %s open", ErrInUse, filepath.Base(f.Name()))
	case err != nil:
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return nil
}

func holder(f *os.File) string {
	b := make([]byte, 256)
	n, _ := f.ReadAt(b, 0)
	if who := strings.TrimSpace(string(b[:n])); who != "" {
		return who
	}
	return "it does not say which"
}

// unlock takes bbolt's lock from it: closing the file is not enough while it is mapped.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// unlinked reports whether a file was deleted while it is open.
func unlinked(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false // writing will say it better
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}
