package monitor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/monitor"
)

// Each alert has a page that says what to do, to which its annotation leads, and each page has an alert.
func TestRunbooks(t *testing.T) {
	const dir = "../docs/runbooks"
	c := monitor.DefaultConfig()
	c.Promises = []string{"nothing lost"}
	known := map[string]bool{}
	for _, a := range monitor.Alerts(c) {
		known[a.Name+".md"] = true
		page, err := os.ReadFile(filepath.Join(dir, a.Name+".md"))
		if err != nil {
			t.Errorf("%s has no runbook: %v", a.Name, err)
			continue
		}
		title, rest, _ := strings.Cut(string(page), "\n\n")
		if title != "# "+a.Name || len(strings.Split(strings.TrimSpace(rest), "\n\n")) != 1 || len(rest) < 300 {
			t.Errorf("%s.md: want its name as the title, and a paragraph that says what to do", a.Name)
		}
		if want := "/docs/runbooks/" + a.Name + ".md"; !strings.HasSuffix(a.Runbook(), want) {
			t.Errorf("%s leads to %s; want %s", a.Name, a.Runbook(), want)
		}
	}
	pages, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if !known[p.Name()] {
			t.Errorf("%s is of no alert", p.Name())
		}
	}
}
