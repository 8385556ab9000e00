package export

import (
	"bytes"
	"io"
	"strings"
	"text/template"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/templates"
)

// Compose writes a file for Docker Compose: a server of this version of tmctl, its Redis, and all that watches it.
func Compose(w io.Writer, alerts []monitor.Alert, version string) error {
	t, err := template.ParseFS(templates.FS, "compose.yaml.tmpl")
	if err != nil {
		return err
	}
	var rules, dashboard bytes.Buffer
	if err := Rules(&rules, alerts); err != nil {
		return err
	}
	if err := Grafana(&dashboard); err != nil {
		return err
	}
	return t.Execute(w, map[string]string{"Version": version, "Job": monitor.Job, "RulesFile": RulesFile,
		"Rules": inlined(rules.String()), "Dashboard": inlined(dashboard.String())})
}

// inlined is a file within a compose file: it is indented, and what Compose would take for its own variables is not.
func inlined(file string) string {
	var b strings.Builder
	for l := range strings.Lines(strings.ReplaceAll(strings.TrimSpace(file), "$", "$$")) {
		b.WriteString("      " + l)
	}
	return b.String()
}
