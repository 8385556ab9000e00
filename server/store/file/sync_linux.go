package file

import (
	"os"
	"syscall"
)

// logFile is the file of a log. All of it was written when it was made, so that the times of its last change are all that
// fdatasync leaves out.
type logFile struct{ *os.File }

func (f logFile) Sync() error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
