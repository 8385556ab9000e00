//go:build !linux

package file

import "os"

// logFile is the file of a log.
type logFile struct{ *os.File }
