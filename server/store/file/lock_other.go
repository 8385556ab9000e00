//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package file

import "os"

// lockDir leaves it to bbolt to lock its file.
func lockDir(string) (*os.File, error) { return nil, nil }

func lock(*os.File) error { return nil }

func unlock(*os.File) error { return nil }

// unlinked can't be told here.
func unlinked(*os.File) bool { return false }
