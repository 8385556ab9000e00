package history

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestPromisesAndWarnings(t *testing.T) {
	n := func(name, promise string, warnings ...string) Target {
		return Target{Admin: "http://" + name + "-admin", Name: name, Promise: promise, Warnings: warnings}
	}
	tests := []struct {
		name     string
		targets  []Target
		promise  string
		warnings []string
	}{
		{"none", nil, "", nil},
		{"one", []Target{n("n1", "volatile", "a", "b")}, "volatile", []string{"a", "b"}},
		{"three that agree", []Target{n("n1", "durable", "a"), n("n2", "durable", "a"), n("n3", "durable", "a")}, "durable", []string{"a"}},
		{"three that do not", []Target{n("n1", "durable"), n("n2", "volatile", "a"), n("n3", "durable")}, "n1, n3: durable; n2: volatile", []string{"n2: a"}},
		{"two without a name", []Target{{Admin: "http://a", Promise: "x"}, {Admin: "http://b", Promise: "y"}}, "http://a: x; http://b: y", nil},
	}
	for _, tt := range tests {
		if got := Promises(tt.targets); got != tt.promise {
			t.Errorf("Promises(%s) = %q; want %q", tt.name, got, tt.promise)
		}
		if got := Warnings(tt.targets); !slices.Equal(got, tt.warnings) {
			t.Errorf("Warnings(%s) = %q; want %q", tt.name, got, tt.warnings)
		}
	}
}

// A run of the first schema named one target.
func TestReadRunOfSchema1(t *testing.T) {
	dir := t.TempDir()
	old := `{"schema_version": 1, "plan": {"admin": "http://127.0.0.1:7018"}, "environment": {"target": {"name": "n1", "promise": "volatile"}}}`
	if err := os.WriteFile(filepath.Join(dir, RunFile), []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := ReadRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if e := r.Environment; e.Target != nil || len(e.Targets) != 1 || e.Targets[0].Name != "n1" || r.Plan.Admin != "http://127.0.0.1:7018" || r.Declared != nil {
		t.Errorf("ReadRun() = %+v; want its target among the targets", r)
	}
}
