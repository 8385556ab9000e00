package cmd

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/file"
)

// examiner is a store that can be asked whether it is fit for production.
type examiner interface {
	// Examine looks at all that an operator would. It takes no number of any id, leaves nothing behind, and returns soon
	// after ctx ends, with what it found until then. What it says holds no secret.
	Examine(ctx context.Context) []server.Finding
}

type doctorOptions struct {
	store   string
	timeout time.Duration
	asJSON  bool
}

func newDoctor(env *Env) *cobra.Command {
	o := &doctorOptions{timeout: 10 * time.Second}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Try a store before production, and say what to change",
		Long: `doctor opens a store as serve would and looks at what an operator would look at: can it be reached, is it allowed what
serve does, how long is a round trip, what of the numbers lasts after a crash, may it drop counters, is it old. It takes
no number and leaves nothing behind. Run it as the user that runs serve, on the machine that runs serve.

✓ is in order; ! works, and you should know; ✗ must be changed. Exit code: 0 without a ✗, 1 with one.

A password is better kept out of the command line, where ps shows it: put the URL into TMCTL_DOCTOR_STORE.`,
		Example: "  tmctl doctor --store redis://localhost\n  tmctl doctor --store file:/var/lib/turnos --json | jq '.findings[] | select(.level != \"ok\")'",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(c.Context(), env)
		},
	}
	o.addFlags(c)
	return c
}

func (o *doctorOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.store, "store", "", "`URL` of the store to try: "+storeNames)
	f.DurationVar(&o.timeout, "timeout", o.timeout, "give the whole examination this long")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
}

func (o *doctorOptions) validate() error {
	if o.timeout <= 0 {
		return usageError("a store that is well answers within a second", "--timeout %s: want more than 0", o.timeout)
	}
	return neededStore("TMCTL_DOCTOR_STORE", o.store)
}

// examined is what doctor found; the names are a contract.
type examined struct {
	Store    string       `json:"store"` // without secrets
	Promise  string       `json:"promise,omitempty"`
	Level    server.Level `json:"level"` // the worst of the findings
	ExitCode int          `json:"exit_code"`
	Findings []finding    `json:"findings"`
}

type finding struct {
	Name  string       `json:"name"`
	Level server.Level `json:"level"`
	Says  string       `json:"says"`
	Hint  string       `json:"hint,omitempty"`
}

func (o *doctorOptions) run(ctx context.Context, env *Env) error {
	x := o.examine(ctx)
	if ctx.Err() != nil {
		return exitWith(exitInterrupted)
	}
	if o.asJSON {
		if err := printJSON(env.Out, x); err != nil {
			return err
		}
	} else {
		x.print(env.Out, coloured(env))
	}
	return exitWith(x.ExitCode)
}

// examine opens the store and looks at it. A store that can't be opened is one finding, not an error: that is what doctor
// was asked.
func (o *doctorOptions) examine(ctx context.Context) *examined {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	x := &examined{Store: shownStore(o.store), Level: server.OK}
	if dir, ok := strings.CutPrefix(o.store, "file:"); ok && newDir(dir) {
		x.examineNewDir(ctx, dir)
		return x
	}
	x.examineStore(ctx, o.store)
	return x
}

// examineStore looks at the store that a --store value names.
func (x *examined) examineStore(ctx context.Context, url string) {
	store, err := visitStore(ctx, url, server.DefaultBounds())
	if err != nil {
		hint := hintOf(err)
		if errors.Is(err, file.ErrInUse) {
			hint = "if that is serve, all is well with it: curl http://" + server.DefaultAdmin + api.SnapshotPath + " tells; doctor can look when it is stopped"
		}
		x.add(server.Finding{Name: "reachable", Level: server.Fail, Says: err.Error(), Hint: hint})
		return
	}
	info := store.Info()
	x.Store, x.Promise = info.Name, info.Promise
	if e, ok := store.(examiner); ok {
		x.add(e.Examine(ctx)...)
	} else {
		x.add(server.Finding{Name: "durability", Level: server.Warn, Says: "the counters are in the memory of one process",
			Hint: "for counters that last: --store file:DIR, or redis://localhost"})
	}
	if err := store.Close(); err != nil {
		x.add(server.Finding{Name: "close", Level: server.Fail, Says: err.Error()})
	}
}

func (x *examined) add(found ...server.Finding) {
	for _, f := range found {
		x.Findings = append(x.Findings, finding(f))
		switch {
		case f.Level == server.Fail:
			x.Level, x.ExitCode = server.Fail, exitFailed
		case f.Level == server.Warn && x.Level == server.OK:
			x.Level = server.Warn
		}
	}
}
