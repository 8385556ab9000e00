package cmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// countersSet is one move of one counter.
type countersSet struct {
	*countersOptions
	id    string
	last  uint64
	force bool
}

func newCountersSet(env *Env, all *countersOptions) *cobra.Command {
	o := &countersSet{countersOptions: all}
	c := &cobra.Command{
		Use:   "set ID N",
		Short: "Move a counter, so that N+1 is the next number given",
		Long: `set moves a counter forward in one step: N counts as given, N+1 is next. Nodes may be serving meanwhile. That is also how
an id goes on which was stopped because its store had gone back (serve --on-rollback stop): N must be the mark that the
node's log says, or more; less is refused, with the mark.

Back is refused: numbers that people hold would be given again. --force does it all the same, and says which ones. A node
that runs takes it for a store that went back: stop the nodes first.`,
		Example: "  tmctl counters set grupo1 500 --store redis://localhost",
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.read(c, args); err != nil {
				return err
			}
			return o.run(c.Context(), env)
		},
	}
	c.Flags().BoolVar(&o.force, "force", false, "go back, although numbers will be given twice")
	return c
}

// read takes the arguments in and refuses what is no move. It has no effects.
func (o *countersSet) read(c *cobra.Command, args []string) error {
	if len(args) != 2 {
		return usageError("for example: "+c.CommandPath()+" grupo1 500", "%s takes ID and N, got %d arguments", c.CommandPath(), len(args))
	}
	o.id = args[0]
	if err := needID(o.id); err != nil {
		return err
	}
	n, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil || n > api.MaxTurno {
		return usageError("N is the last number that counts as given", "%q: want 0 to %d", args[1], uint64(api.MaxTurno))
	}
	o.last = n
	return o.validate()
}

// moved is what set prints; the names are a contract.
type moved struct {
	api.Counter
	Was uint64 `json:"was"`
}

func (o *countersSet) run(ctx context.Context, env *Env) error {
	m := moved{Counter: api.Counter{ID: o.id, Turno: o.last}}
	err := o.with(ctx, func(table counterTable) (err error) {
		m.Was, err = table.Set(ctx, o.id, o.last, o.force)
		return o.explain(m.Was, err)
	})
	if err != nil {
		return err
	}
	if m.Was > o.last {
		fmt.Fprintf(env.Err, "warning: %s will be given again\n", numbers(o.last+1, m.Was, o.id))
	}
	if o.asJSON {
		return printJSON(env.Out, m)
	}
	_, err = fmt.Fprintf(env.Out, "%s: %d → %d, %s\n", o.id, m.Was, o.last, nextAfter(o.last))
	return err
}

// explain says why a counter that was at was could not be moved, and what to do.
func (o *countersSet) explain(was uint64, err error) error {
	var broken *server.BrokenError
	var below *server.BelowMarkError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &below):
		return withHint(fmt.Errorf("%s is stopped at %d, and %w: at %d it would stay stopped", o.id, was, below, o.last),
			fmt.Sprintf("tmctl counters set %s %d, or beyond what dead nodes may have given", o.id, below.Mark))
	case errors.Is(err, server.ErrBackwards):
		return withHint(fmt.Errorf("%s is at %d: %d would be back", o.id, was, o.last),
			fmt.Sprintf("--force does it, and gives %s again", numbers(o.last+1, was, o.id)))
	case errors.As(err, &broken):
		return withHint(err, "if clients have seen no number beyond "+strconv.FormatUint(o.last, 10)+", --force puts it in place of that")
	default:
		return err
	}
}

// nextAfter says what comes after the last number given.
func nextAfter(last uint64) string {
	if last >= api.MaxTurno {
		return "the last number there is: none is left"
	}
	return fmt.Sprintf("next is %d", last+1)
}

// numbers names the numbers first … last of id.
func numbers(first, last uint64, id string) string {
	if first == last {
		return fmt.Sprintf("number %d of %s", first, id)
	}
	return fmt.Sprintf("numbers %d…%d of %s", first, last, id)
}
