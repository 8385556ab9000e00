package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Limits bound a journal on disk: at most (Keep+1)·Segment bytes. The zero value does not.
type Limits struct {
	Segment int64 // bytes; a segment that would be longer becomes FILE.1, and a new one is begun
	Keep    int   // how many older ones are kept, at most MaxKeep; the oldest is deleted, and an event says so
}

// DefaultLimits are about a million events.
var DefaultLimits = Limits{Segment: 16 << 20, Keep: 16}

// MaxKeep bounds Limits.Keep: a reader has them all open.
const MaxKeep = 64

// lockWait is how long a write waits for another process that writes: they take microseconds, unless one was stopped or
// waits for its disk.
const lockWait = 2 * time.Second

// ErrBusy is returned when another process holds the journal for longer than any write takes.
var ErrBusy = errors.New("another process has held it for 2s: it may be stopped, or its disk hangs")

// errNoFile refuses a pipe, a device, a directory: a journal is read again, and moved aside when it is long.
var errNoFile = errors.New("it is no regular file")

// file is the segment of a journal that is written. Whoever writes holds a lock on it (flock), which ends with the process:
// so the end of the file is known, a line that was cut can be taken back, and nobody writes to a segment that was moved aside.
type file struct {
	path   string
	limits Limits
	f      *os.File // nil: none open
	dirty  bool     // written since the last sync
	named  bool     // its name is on disk
	pruned string   // the segment that was deleted last, until an event says so
}

func createFile(path string) (*file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	return &file{path: path, f: f}, nil
}

func openFile(path string, limits Limits) (*file, error) {
	if limits.Keep = min(limits.Keep, MaxKeep); limits.Segment > 0 {
		limits.Keep = max(limits.Keep, 1)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil { // segments are beside the file, not beside a link to it
		path = real
	}
	a := &file{path: path, limits: limits}
	if err := a.open(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *file) open() error {
	if info, err := os.Stat(a.path); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: a.path, Err: errNoFile}
	}
	f, err := os.OpenFile(a.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	a.f, a.dirty, a.named = f, false, false
	return err
}

// add implements sink.
func (a *file) add(line func() ([]byte, error)) error {
	var b []byte
	for {
		if err := a.hold(); err != nil {
			return err
		}
		if b == nil {
			var err error
			if b, err = line(); err != nil {
				_ = unlock(a.f) // at the latest closing it does
				return err
			}
		}
		size, whole, err := a.end()
		if err == nil && a.limits.Segment > 0 && size > 0 && size+int64(len(b)) > a.limits.Segment {
			if err = a.rotate(); err == nil {
				a.let()
				continue
			}
		}
		if err == nil {
			err = a.put(b, size, whole)
		}
		_ = unlock(a.f) // at the latest closing it does
		return err
	}
}

// hold locks the segment that is at path now.
func (a *file) hold() error {
	for {
		if a.f == nil {
			if err := a.open(); err != nil {
				return err
			}
		}
		if err := lock(a.f, lockWait); err != nil {
			return err
		}
		if here, err := isAt(a.f, a.path); err != nil || here {
			return err
		}
		a.let() // somebody has moved it aside
	}
}

// isAt reports whether f is what path names.
func isAt(f *os.File, path string) (bool, error) {
	own, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(own, there), err
}

// let closes the segment, and lets others have it.
func (a *file) let() {
	if a.dirty {
		_ = a.f.Sync() // whoever moved it has done so, and has been told
	}
	_ = a.f.Close() // ends the lock
	a.f = nil
}

// end is how long the segment is, and whether its last line is whole: a crash, or another program, may have cut it.
func (a *file) end() (size int64, whole bool, err error) {
	info, err := a.f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, true, err
	}
	var last [1]byte
	if _, err := a.f.ReadAt(last[:], info.Size()-1); err != nil {
		return 0, false, err
	}
	return info.Size(), last[0] == '\n', nil
}

// put writes a line at the end. What a full disk left of it is taken back; if that fails too, the next line begins anew.
func (a *file) put(b []byte, size int64, whole bool) error {
	if !whole {
		b = append([]byte{'\n'}, b...)
	}
	n, err := a.f.Write(b)
	if err == nil {
		a.dirty = true
		return nil
	}
	if info, e := a.f.Stat(); n > 0 && e == nil && info.Size() == size+int64(n) {
		err = errors.Join(err, a.f.Truncate(size))
	}
	return err
}

// rotate moves the segment to FILE.1 and the older ones out of its way. It is cut short by a crash at worst with a number
// that is free, which the next one fills.
func (a *file) rotate() error {
	if err := a.f.Sync(); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	free := 1
	for ; free < a.limits.Keep; free++ {
		if _, err := os.Lstat(segment(a.path, free)); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	_, err := os.Lstat(segment(a.path, free))
	full := err == nil
	for i := free; i > 0; i-- {
		if err := os.Rename(segment(a.path, i-1), segment(a.path, i)); err != nil {
			return fmt.Errorf("rotate: %w", err)
		}
	}
	a.dirty = false
	if full {
		a.pruned = segment(a.path, free)
	}
	return syncDir(a.path)
}

// segment is the name of the i-th newest: 0 is the one that is written.
func segment(path string, i int) string {
	if i == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, i)
}

func (a *file) sync() error {
	if a.f == nil || !a.dirty && a.named {
		return nil
	}
	if err := a.f.Sync(); err != nil {
		return err
	}
	if !a.named {
		if err := syncDir(a.path); err != nil {
			return err
		}
	}
	a.dirty, a.named = false, true
	return nil
}

func (a *file) close() error {
	if a.f == nil {
		return nil
	}
	err := errors.Join(a.sync(), a.f.Close())
	a.f = nil
	return err
}

func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// segments opens what there is of a journal, the oldest first, but for those that were read and what is older; the last of
// read is open. found is whether any of them is still there. It goes from the newest to the oldest, as rotation moves them: so
// it may meet one twice, and misses none.
func segments(path string, read []os.FileInfo) (files []*os.File, found bool, err error) {
	var infos []os.FileInfo
	defer func() {
		if err != nil {
			closeAll(files)
		}
	}()
	for i := range MaxKeep + 2 {
		f, err := os.Open(segment(path, i))
		if errors.Is(err, fs.ErrNotExist) {
			continue // also a gap that a crash left
		}
		if err != nil {
			return files, false, err
		}
		info, err := f.Stat()
		if err != nil || info.IsDir() {
			return files, false, errors.Join(err, f.Close(), &fs.PathError{Op: "read", Path: f.Name(), Err: errNoFile})
		}
		if wasRead(info, read) {
			_ = f.Close() // read only
			found = true
			break
		}
		if slices.ContainsFunc(infos, func(other os.FileInfo) bool { return os.SameFile(info, other) }) {
			_ = f.Close() // read only
			continue
		}
		files, infos = append(files, f), append(infos, info)
	}
	slices.Reverse(files)
	return files, found, nil
}

// wasRead reports whether a segment is one of read. The kernel gives the number of a file that was deleted to another one:
// only of the last, which is open, it says enough.
func wasRead(info os.FileInfo, read []os.FileInfo) bool {
	for i, r := range read {
		if os.SameFile(info, r) && (i == len(read)-1 || info.Size() == r.Size() && info.ModTime().Equal(r.ModTime())) {
			return true
		}
	}
	return false
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // read only
	}
}
