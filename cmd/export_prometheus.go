package cmd

import (
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/monitor/export"
)

type exportPrometheusOptions struct {
	monitor.Config
	dir string
}

func newExportPrometheus(env *Env) *cobra.Command {
	o := &exportPrometheusOptions{Config: monitor.DefaultConfig()}
	c := &cobra.Command{
		Use: "prometheus", Short: "Write the alerts as rules for Prometheus, and their tests",
		Long: `Write the alerts of tmctl alerts as recording and alerting rules for Prometheus 2.42 or later, which scrapes the nodes'
/metrics as job turno:

    scrape_configs:
      - job_name: turno
        static_configs:
          - targets: [n1:7018, n2:7018]

Without -o the rules go to stdout. With it, the directory also gets what promtool test rules reads: made-up lives of
clusters, and what tmctl's own model of each alert says of them, so that promtool tells whether Prometheus would agree.`,
		Example: "  tmctl export prometheus > turno.rules.yml\n  tmctl export prometheus -o rules --expect-promise \"nothing lost\"",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := validAlerts(&o.Config); err != nil {
				return err
			}
			return o.run(env)
		},
	}
	c.Flags().StringVarP(&o.dir, "output", "o", "-", "`directory` for "+export.RulesFile+" and "+export.RuleTestsFile+", made if need be; - is stdout, for the rules alone")
	alertFlags(c, &o.Config)
	return c
}

func (o *exportPrometheusOptions) run(env *Env) error {
	alerts := monitor.Alerts(o.Config)
	if o.dir == "-" {
		return export.Rules(env.Out, alerts)
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return withHint(err, "choose another directory with -o")
	}
	for name, write := range map[string]func(io.Writer, []monitor.Alert) error{export.RulesFile: export.Rules, export.RuleTestsFile: export.RuleTests} {
		if err := writeFile(filepath.Join(o.dir, name), func(w io.Writer) error { return write(w, alerts) }); err != nil {
			return err
		}
	}
	return nil
}

// writeFile has write fill a file.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return withHint(err, "choose another place with -o")
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	return write(f)
}
