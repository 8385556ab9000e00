package history

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestWriteThenReadRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "a")
	if err := CreateDir(dir); err != nil {
		t.Fatal(err)
	}
	yes := true
	want := &Run{Schema: Schema, Tool: "tmctl 0.1.0", Started: time.Date(2026, 11, 21, 10, 15, 2, 0, time.UTC), IDs: []string{"grupo1"}}
	want.Verdict, want.Proof = Pass, Proof{Ops: 1e6, IDs: 1, Exclusive: true, Linearizable: &yes, Findings: []Finding{}}
	step := Step{Phase: Fixed, PlannedRate: 100, LatencyHDR: new(Histogram)}
	step.LatencyHDR.Record(3 * time.Millisecond)
	want.Steps = []Step{step}
	for range 2 { // the second replaces the first
		if err := WriteRun(dir, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := got.Steps[0].LatencyHDR.Count(); n != 1 {
		t.Errorf("the step's histogram has %d durations; want 1", n)
	}
	got.Steps, want.Steps = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("ReadRun() = %+v; want %+v", got, want)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("WriteRun left %v", left)
	}
	if err := CreateDir(dir); !errors.Is(err, ErrHoldsRun) {
		t.Errorf("CreateDir over a run = %v; want %v", err, ErrHoldsRun)
	}
}

func TestReadRunRefuses(t *testing.T) {
	tests := []struct{ name, json, want string }{
		{"half a file", `{"schema_version": 1, "ids": [`, "unexpected end of JSON"},
		{"a later schema", `{"schema_version": 99}`, "schema_version 99; this tmctl reads 1"},
		{"no run at all", `{}`, "schema_version 0"},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, RunFile), []byte(tt.json), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRun(dir); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), RunFile) {
			t.Errorf("ReadRun(%s) = %v; want %q and the file's name", tt.name, err, tt.want)
		}
	}
	if _, err := ReadRun(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadRun(an empty directory) = %v; want %v", err, fs.ErrNotExist)
	}
}

func TestNewDirIsNew(t *testing.T) {
	base := filepath.Join(t.TempDir(), "runs")
	at := time.Date(2026, 11, 21, 11, 15, 2, 0, time.FixedZone("", 3600))
	for _, want := range []string{"20261121T101502Z", "20261121T101502Z-2", "20261121T101502Z-3"} {
		if dir, err := NewDir(base, at); err != nil || dir != filepath.Join(base, want) {
			t.Errorf("NewDir(%s) = %s, %v; want %s", at, dir, err, want)
		}
	}
}

// A directory that can't be written is found out before any load is sent, and the error says which and why.
func TestDirectoriesThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	under := filepath.Join(file, "run")
	_, newErr := NewDir(under, time.Time{})
	_, createErr := Create(under)
	for name, err := range map[string]error{
		"CreateDir": CreateDir(under), "CreateDir on a file": CreateDir(file), "NewDir": newErr, "Create": createErr,
		"WriteRun": WriteRun(under, &Run{}),
	} {
		if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("%s below a file = %v; want an error that names it and says why", name, err)
		}
	}
}

func TestLookup(t *testing.T) {
	path := filepath.Join(t.TempDir(), HistoryFile)
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	b := someOps(2000)
	b.Ops[1000].Turno, b.Ops[1500].Turno = 7, 7
	if err := errors.Join(w.Add(b), w.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := Lookup(path, []Key{{0, 7}, {1, 7}, {0, 999_999}, {5, 7}})
	want := map[Key][]Op{{0, 7}: {b.Ops[12], b.Ops[1000]}, {1, 7}: {b.Ops[13]}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Lookup() = %+v, %v; want %+v", got, err, want)
	}
}
