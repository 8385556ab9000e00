//go:build unix

package server

import "syscall"

// openFiles is how many files this process may hold open; 0: unknown.
func openFiles() uint64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return uint64(l.Cur) //nolint:unconvert // int64 on some systems
}
