package export_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/turnomatico/tmctl/monitor/export"
)

// composed is what is looked at of a compose file.
type composed struct {
	Services map[string]struct {
		Image   string
		Command []string
		Build   struct {
			Dockerfile string `yaml:"dockerfile_inline"`
		}
		Configs []struct{ Source, Target string }
		Ports   []string
	}
	Configs map[string]struct{ Content string }
}

func compose(t *testing.T) (c composed) {
	t.Helper()
	var b bytes.Buffer
	if err := export.Compose(&b, alerts(), "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// content is a file as its container sees it. Compose puts variables in; nothing may look like one.
func (c composed) content(t *testing.T, name string) string {
	t.Helper()
	text := strings.ReplaceAll(c.Configs[name].Content, "$$", "\x00")
	if strings.Contains(text, "$") {
		t.Errorf("Compose would look for variables in %s", name)
	}
	return strings.ReplaceAll(text, "\x00", "$")
}

var pinned = regexp.MustCompile(`^[a-z/]+:v?\d+\.\d+\.\d+$`)

func TestComposeFile(t *testing.T) {
	c := compose(t)
	for _, name := range []string{"server", "redis", "prometheus", "grafana", "alertmanager"} {
		s, has := c.Services[name]
		if !has || name != "server" && !pinned.MatchString(s.Image) {
			t.Errorf("%s is %q; want an image of one version", name, s.Image)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s is open to the network: %s", name, p)
			}
		}
		for _, file := range s.Configs {
			if c.Configs[file.Source].Content == "" || file.Target == "" {
				t.Errorf("%s has %s as %s, which is empty", name, file.Source, file.Target)
			}
		}
	}
	if !strings.Contains(c.Services["server"].Build.Dockerfile, "tmctl@v1.2.3\n") {
		t.Errorf("the server is built by %s", c.Services["server"].Build.Dockerfile)
	}
	for _, name := range []string{"alertmanager", "datasource", "dashboards"} {
		if err := yaml.Unmarshal([]byte(c.content(t, name)), new(any)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !json.Valid([]byte(c.content(t, "dashboard"))) {
		t.Error("the dashboard is no JSON")
	}
}

// promtool takes the configuration of Prometheus, and the rules in it are those that export prometheus writes.
func TestComposedPrometheus(t *testing.T) {
	c, dir := compose(t), t.TempDir()
	config := strings.ReplaceAll(c.content(t, "prometheus"), "/etc/prometheus/", "")
	for name, text := range map[string]string{"prometheus.yml": config, export.RulesFile: c.content(t, "rules")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := promtool(t, dir, "check", "config", "prometheus.yml"); err != nil {
		t.Errorf("promtool check config: %v\n%s", err, out)
	}
	var want bytes.Buffer
	if err := export.Rules(&want, alerts()); err != nil {
		t.Fatal(err)
	}
	if got := c.content(t, "rules"); strings.TrimSpace(got) != strings.TrimSpace(want.String()) {
		t.Errorf("rules are %s; want %s", got, want.String())
	}
}
