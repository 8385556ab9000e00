package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/monitor/export"
	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// board is what is looked at of a dashboard.
type board struct {
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ RefID, Expr string }
	}
	Annotations struct{ List []struct{ Expr string } }
}

func readBoard(t *testing.T) (b board) {
	t.Helper()
	var out bytes.Buffer
	if err := export.Grafana(&out); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// expressions are those of the dashboard, as Prometheus gets them.
func (b board) expressions() (all []string) {
	for _, p := range b.Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	for _, a := range b.Annotations.List {
		all = append(all, a.Expr)
	}
	for i, e := range all {
		all[i] = strings.NewReplacer("$__rate_interval", "5m", "$node", ".*").Replace(e)
	}
	return all
}

func TestDashboardsForm(t *testing.T) {
	b := readBoard(t)
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range b.Panels {
		if p.ID == 0 || ids[p.ID] {
			t.Errorf("%s: its id %d is another's, or none", p.Title, p.ID)
		}
		ids[p.ID] = true
		if g := p.GridPos; g.X+g.W > 24 || g.W < 1 || g.H < 1 {
			t.Errorf("%s: is at %+v, outside of the grid", p.Title, g)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies over %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if isRow := p.Type == "row"; isRow != (len(p.Targets) == 0) || p.Title == "" {
			t.Errorf("%q (%s) has %d expressions", p.Title, p.Type, len(p.Targets))
		}
	}
}

// Prometheus can read every expression.
func TestDashboardsExpressionsParse(t *testing.T) {
	dir := t.TempDir()
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for i, e := range readBoard(t).expressions() {
		fmt.Fprintf(&rules, "      - record: e%d\n        expr: %q\n", i, e)
	}
	if err := os.WriteFile(filepath.Join(dir, "e.yml"), []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := promtool(t, dir, "check", "rules", "e.yml"); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
}

var selected = regexp.MustCompile(`([a-zA-Z_:]+)\{`)

// A real server has every metric that the dashboard and the rules name.
func TestNamedMetricsExist(t *testing.T) {
	has := metricsOfAServer(t)
	has["up"], has["ALERTS"] = true, true // Prometheus' own
	var rules bytes.Buffer
	if err := export.Rules(&rules, alerts()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range append(readBoard(t).expressions(), rules.String()) {
		for _, m := range selected.FindAllStringSubmatch(e, -1) {
			if n++; !has[m[1]] {
				t.Errorf("no server has %s", m[1])
			}
		}
	}
	if n < 50 {
		t.Errorf("%d metrics are named; want all those of the dashboard", n)
	}
}

func metricsOfAServer(t *testing.T) map[string]bool {
	t.Helper()
	config := server.DefaultConfig()
	config.Addr, config.Admin, config.Drain = "127.0.0.1:0", "127.0.0.1:0", 0
	s, err := server.Listen(t.Context(), config, memory.New(server.DefaultBounds()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() { stop(); <-ended }()
	resp, err := http.Get("http://" + s.AdminAddr() + api.MetricsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for l := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(l, "{")
		name, _, _ = strings.Cut(name, " ")
		names[name] = true
	}
	return names
}
