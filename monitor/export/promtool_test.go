package export_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/monitor/export"
)

func alerts() []monitor.Alert {
	c := monitor.DefaultConfig()
	c.Promises = []string{"nothing lost", `every number is "on disk"`}
	return monitor.Alerts(c)
}

// promtool is Debian's. In CI it must be there.
func promtool(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("no promtool, and CI does not do without: apt install prometheus")
	}
	if err != nil {
		t.Skip("no promtool (apt install prometheus)")
	}
	c := exec.Command(path, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	return string(out), err
}

// write puts what an export writes into a file.
func write(t *testing.T, dir, name string, export func(*bytes.Buffer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := export(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeBoth(t *testing.T, rules, tests []monitor.Alert) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write(t, dir, export.RulesFile, func(b *bytes.Buffer) error { return export.Rules(b, rules) })
	write(t, dir, export.RuleTestsFile, func(b *bytes.Buffer) error { return export.RuleTests(b, tests) })
	return dir
}

// Prometheus does, in every scenario, what the model in Go does.
func TestPrometheusAgreesWithTheModel(t *testing.T) {
	t.Parallel() // promtool takes one core for a quarter of a minute
	dir := writeBoth(t, alerts(), alerts())
	if out, err := promtool(t, dir, "check", "rules", export.RulesFile); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
	if out, err := promtool(t, dir, "test", "rules", export.RuleTestsFile); err != nil {
		t.Errorf("promtool test rules: %v\n%.8000s", err, out)
	}
}

// Rules that are not the model's are noticed: each alert is made to wait longer than it should, and promtool must object to each.
func TestPromtoolNoticesWhereTheyDiffer(t *testing.T) {
	t.Parallel()
	list := alerts()
	wrong := slices.Clone(list)
	for i := range wrong {
		wrong[i].For += 90 * time.Minute
	}
	dir := writeBoth(t, wrong, list)
	out, err := promtool(t, dir, "test", "rules", export.RuleTestsFile)
	if err == nil {
		t.Error("promtool test rules passes, with alerts that wait too long")
	}
	for _, a := range list {
		if !strings.Contains(out, "alertname: "+a.Name+",") {
			t.Errorf("promtool does not object to a %s that waits too long", a.Name)
		}
	}
}
