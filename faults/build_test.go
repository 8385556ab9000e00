//go:build linux

package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// root is the module's directory, seen from this package's.
const root = ".."

// built is a binary, made when it is first asked for.
type built struct {
	path string
	err  error
}

// binaries keeps what was built, by the mutant's name; "" is tmctl as it is. main_test.go makes dir and removes it.
var binaries struct {
	mu   sync.Mutex
	dir  string
	made map[string]*built
}

// binary returns the path of tmctl, with the mutant's edits if there is one.
func binary(t *testing.T, m *mutant) string {
	t.Helper()
	binaries.mu.Lock()
	defer binaries.mu.Unlock()
	name := "tmctl"
	if m != nil {
		name += "-" + strings.ReplaceAll(m.name, " ", "-")
	}
	b := binaries.made[name]
	if b == nil {
		b = &built{path: filepath.Join(binaries.dir, name)}
		b.err = build(b.path, m)
		if binaries.made == nil {
			binaries.made = map[string]*built{}
		}
		binaries.made[name] = b
	}
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

func build(path string, m *mutant) error {
	args := []string{"build", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	if m != nil {
		overlay, err := m.overlay(path + ".src")
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	c := exec.Command("go", append(args, ".")...)
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// edit replaces text that must be in the file exactly once, so that a mutant can't lose its sting in silence.
type edit struct{ file, old, new string }

// overlay writes the edited files into dir, and what tells go build to read them instead of ours.
func (m *mutant) overlay(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	texts, err := m.texts()
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range texts {
		from, err := filepath.Abs(filepath.Join(root, file))
		if err != nil {
			return "", err
		}
		to := filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
			return "", err
		}
		replace[from] = to
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, b, 0o644)
}

// texts is the edited files.
func (m *mutant) texts() (map[string]string, error) {
	texts := map[string]string{}
	for _, e := range m.edits {
		text, ok := texts[e.file]
		if !ok {
			b, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return nil, fmt.Errorf("mutant %q: %w", m.name, err)
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("mutant %q: %s holds the text to be replaced %d times, want once; has the code moved?\n%s", m.name, e.file, n, e.old)
		}
		texts[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	return texts, nil
}
