package cmd

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRoot builds the command tree; the order of the list is the order in help.
func newRoot(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "tmctl",
		Short: "Serve turnos, find the most a turn server takes, prove its numbers right",
		Long: `tmctl is the toolkit of a person who runs a turn server: GET /turno/grupo1 → {"id":"grupo1","turno":42}.
It serves the numbers, finds the largest rate that meets an objective, proves while doing so that every number
was unique and consecutive, and writes the report.

Every flag can also be set in the environment: serve's --max-ids is TMCTL_SERVE_MAX_IDS. A flag wins.`,
		Example:           "  tmctl demo\n  tmctl serve\n  tmctl load --target http://localhost:7017",
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return setFromEnv(c, env) },
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError("see "+c.CommandPath()+" --help", "%w", err)
	})
	root.AddCommand(
		newDemo(env),
		newServe(env),
		newDoctor(env),
		newCounters(env),
		newAlerts(env),
		newLoad(env),
		newCheck(env),
		newReport(env),
		newExport(env),
		newEvents(env),
		newNote(env),
		newMarker(env),
		newVersion(env),
	)
	root.Args = unknownCommand
	root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return root
}

// unknownCommand refuses what is no command, with cobra's nearest guesses.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see " + c.CommandPath() + " --help"
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError(hint, "unknown command %q", args[0])
}

// setFromEnv gives every flag that the command line left alone its value from the environment.
func setFromEnv(c *cobra.Command, env *Env) error {
	var failed error
	c.Flags().VisitAll(func(f *pflag.Flag) {
		key := flagEnv(ownerOf(c, f).CommandPath(), f.Name)
		v := env.Getenv(key)
		if f.Changed || v == "" || failed != nil {
			return
		}
		if err := c.Flags().Set(f.Name, v); err != nil {
			failed = usageError("unset "+key+" or give it a value that --"+f.Name+" takes", "%s=%q: %w", key, v, err)
		}
	})
	return failed
}

// ownerOf is the command that has the flag: c, or the one above it that lends the flag to all of its commands.
func ownerOf(c *cobra.Command, f *pflag.Flag) *cobra.Command {
	for above := c; above != nil; above = above.Parent() {
		if above.PersistentFlags().Lookup(f.Name) == f {
			return above
		}
	}
	return c
}

// noArgs refuses positional arguments with the hint that a person needs.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("see "+c.CommandPath()+" --help", "%s takes no arguments, got %q", c.CommandPath(), args[0])
	}
	return nil
}
