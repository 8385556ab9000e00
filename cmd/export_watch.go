package cmd

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/monitor/export"
)

func newExportGrafana(env *Env) *cobra.Command {
	out := "-"
	c := &cobra.Command{
		Use: "grafana", Short: "Write a dashboard for Grafana",
		Long: `Write a dashboard for Grafana 10 or later (Dashboards, New, Import): what clients get, what nodes cost, the numbers, the
store, and each node, with what fires and which processes began as annotations. It reads a Prometheus that scrapes the
nodes' /metrics as job turno and has the rules of tmctl export prometheus.`,
		Example: "  tmctl export grafana -o turnos.json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return writeOut(env, out, export.Grafana) },
	}
	c.Flags().StringVarP(&out, "output", "o", out, "`file`; - is stdout")
	return c
}

func newExportCompose(env *Env) *cobra.Command {
	out, config := "-", monitor.DefaultConfig()
	c := &cobra.Command{
		Use: "compose", Short: "Write a compose file: a server, its Redis, and all that watches it",
		Long: `Write a file for Docker Compose 2.24 or later that needs no editing: a server of this version of tmctl, built from its
module, Redis with an append-only file, Prometheus with the rules of tmctl export prometheus, Alertmanager, and Grafana
with the dashboard of tmctl export grafana. All ports are this machine's alone.`,
		Example: "  tmctl export compose -o compose.yaml",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := validAlerts(&config); err != nil {
				return err
			}
			return writeOut(env, out, func(w io.Writer) error {
				return export.Compose(w, monitor.Alerts(config), moduleVersion(build().Version))
			})
		},
	}
	c.Flags().StringVarP(&out, "output", "o", out, "`file`; - is stdout")
	alertFlags(c, &config)
	return c
}

// moduleVersion is a version that go install takes: a build from a working tree is of none that anybody else has.
func moduleVersion(version string) string {
	if !strings.HasPrefix(version, "v") || strings.Contains(version, "-") || strings.Contains(version, "+") {
		return "latest"
	}
	return version
}

// writeOut writes to a file, or to stdout where it is "-".
func writeOut(env *Env, path string, write func(io.Writer) error) error {
	if path == "-" {
		return write(env.Out)
	}
	return writeFile(path, write)
}
