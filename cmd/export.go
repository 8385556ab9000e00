package cmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/loadgen"
)

func newExport(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "export", Short: "Write runs, alerts and dashboards in other tools' formats",
		Example: "  tmctl export vegeta runs/20261121T101502Z | vegeta report\n  tmctl export prometheus -o rules",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newExportVegeta(env), newExportPrometheus(env), newExportGrafana(env), newExportCompose(env))
	return c
}

type exportVegetaOptions struct {
	format string
	out    string
}

func newExportVegeta(env *Env) *cobra.Command {
	o := exportVegetaOptions{format: "gob"}
	c := &cobra.Command{
		Use: "vegeta RUN", Short: "Write results that vegeta report and vegeta plot read",
		Long: `Write one vegeta result a request. Latencies are corrected for coordinated omission: a result's timestamp is when the
request could have been sent had a connection been free.`,
		Example: "  tmctl export vegeta runs/20261121T101502Z | vegeta report\n  tmctl export vegeta runs/20261121T101502Z | vegeta plot > plot.html",
		Args:    oneRun,
		RunE:    func(c *cobra.Command, args []string) error { return o.run(c.Context(), env, args[0]) },
	}
	choiceFlag(c, &o.format, "format", vegetaFormats(), "encoding; vegeta detects it")
	c.Flags().StringVarP(&o.out, "output", "o", "-", "file; - is stdout")
	return c
}

func vegetaFormats() (names []string) {
	for _, e := range loadgen.VegetaEncoders {
		names = append(names, e.Name)
	}
	return names
}

// oneRun wants exactly one run directory.
func oneRun(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError("give the directory that load printed, for example runs/20261121T101502Z", "%s takes one RUN, got %d", c.CommandPath(), len(args))
	}
	return nil
}

func (o *exportVegetaOptions) run(ctx context.Context, env *Env, dir string) (err error) {
	run, err := readRun(dir)
	if err != nil {
		return err
	}
	ops, err := history.Open(filepath.Join(dir, history.HistoryFile))
	if err != nil {
		return withHint(err, "was the run recorded with --record none?")
	}
	defer ops.Close()
	w := env.Out
	if o.out != "-" {
		f, err := os.Create(o.out)
		if err != nil {
			return withHint(err, "choose another file with -o")
		}
		defer func() {
			if e := f.Close(); err == nil {
				err = e
			}
		}()
		w = f
	}
	if err := o.write(ctx, w, run, ops); err != nil {
		return fmt.Errorf("export %s: %w", dir, err)
	}
	if w := ops.Torn(); w != "" {
		fmt.Fprintln(env.Err, "warning:", w)
	}
	return nil
}

func (o *exportVegetaOptions) write(ctx context.Context, w io.Writer, run *history.Run, ops *history.Reader) error {
	buffered := bufio.NewWriterSize(w, 1<<16)
	encode := loadgen.VegetaEncoders[0].New(buffered)
	for _, e := range loadgen.VegetaEncoders {
		if e.Name == o.format {
			encode = e.New(buffered)
		}
	}
	seq := uint64(0)
	for b, err := range ops.Batches() {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for i := range b.Ops {
			if err := encode(loadgen.VegetaResult(run, &b.Ops[i], seq)); err != nil {
				return err
			}
			seq++
		}
	}
	return buffered.Flush()
}
