package cmd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/turnomatico/tmctl/server"
)

// counterFile is the file in a directory of counters (server/store/file).
const counterFile = "counters.db"

// newDir reports whether serve would make new counters in dir.
func newDir(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, counterFile))
	return errors.Is(err, fs.ErrNotExist)
}

// examineNewDir looks at a place where counters are yet to be made, by means of others beside them that are removed again:
// who tries it as root shall not leave what the user that serves can't open.
func (x *examined) examineNewDir(ctx context.Context, dir string) {
	above := filepath.Clean(dir)
	for noDir(above) && above != filepath.Dir(above) {
		above = filepath.Dir(above)
	}
	trial, err := os.MkdirTemp(above, ".tmctl-doctor-")
	if err != nil {
		x.examineStore(ctx, "file:"+dir) // fails for the same reason, and knows what to do about it
		return
	}
	if above != filepath.Clean(dir) {
		if full, err := filepath.Abs(above); err == nil {
			above = full
		}
		x.add(server.Finding{Name: "directory", Level: server.OK, Says: dir + " does not exist yet: serve makes it, in " + above})
	}
	trial = filepath.Clean(trial)
	x.examineStore(ctx, "file:"+trial)
	x.Store = "file:" + dir
	for i := range x.Findings {
		f := &x.Findings[i]
		f.Says, f.Hint = strings.ReplaceAll(f.Says, trial, dir), strings.ReplaceAll(f.Hint, trial, dir)
	}
	if err := os.RemoveAll(trial); err != nil {
		x.add(server.Finding{Name: "cleaning up", Level: server.Warn, Says: err.Error(), Hint: "remove " + trial})
	}
}

// noDir reports whether there is nothing at path.
func noDir(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
