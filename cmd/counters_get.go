package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// listed is what get and list print; the names are a contract.
type listed struct {
	Counters []api.Counter `json:"counters"`
}

func newCountersGet(env *Env, o *countersOptions) *cobra.Command {
	return &cobra.Command{
		Use:     "get ID…",
		Short:   "Print the last number given of each id",
		Example: "  tmctl counters get grupo1 --store redis://localhost\n  tmctl counters get grupo1 grupo2 --json --store file:/var/lib/turnos",
		RunE: func(c *cobra.Command, ids []string) error {
			if err := o.validateIDs(c, ids); err != nil {
				return err
			}
			return o.get(c.Context(), env, ids)
		},
	}
}

func (o *countersOptions) validateIDs(c *cobra.Command, ids []string) error {
	if len(ids) == 0 {
		return usageError("tmctl counters list prints them all", "%s: which ids?", c.CommandPath())
	}
	for _, id := range ids {
		if err := needID(id); err != nil {
			return err
		}
	}
	return o.validate()
}

// get prints what there is, then says what there is not.
func (o *countersOptions) get(ctx context.Context, env *Env, ids []string) error {
	var missing []string
	found := listed{Counters: []api.Counter{}}
	err := o.look(ctx, func(table counterTable) error {
		var broken []error
		for _, id := range ids {
			last, err := table.Peek(ctx, id)
			switch {
			case isBroken(err):
				broken = append(broken, err)
			case err != nil:
				return err
			case last == 0:
				missing = append(missing, id)
			default:
				found.Counters = append(found.Counters, api.Counter{ID: id, Turno: last})
			}
		}
		return errors.Join(broken...)
	})
	err = o.print(env.Out, found, err)
	if err == nil && len(missing) > 0 {
		return withHint(fmt.Errorf("no number was given of %s", strings.Join(missing, ", ")), "tmctl counters list prints what there is")
	}
	return err
}

// isBroken reports whether err is of a counter that holds no number; others may be well.
func isBroken(err error) bool {
	_, is := errors.AsType[*server.BrokenError](err)
	return is
}

func newCountersList(env *Env, o *countersOptions) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Print every id and the last number given of it, sorted by id",
		Example: "  tmctl counters list --store redis://localhost\n  tmctl counters list --store file:/var/lib/turnos --json | jq '.counters | length'",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return o.list(c.Context(), env)
		},
	}
}

func (o *countersOptions) list(ctx context.Context, env *Env) error {
	all := listed{Counters: []api.Counter{}}
	err := o.look(ctx, func(table counterTable) error {
		return table.List(ctx, func(id string, last uint64) error {
			all.Counters = append(all.Counters, api.Counter{ID: id, Turno: last})
			return nil
		})
	})
	if err == nil && len(all.Counters) == 0 && !o.asJSON {
		fmt.Fprintln(env.Err, "no number was given yet")
	}
	slices.SortFunc(all.Counters, func(a, b api.Counter) int { return strings.Compare(a.ID, b.ID) })
	return o.print(env.Out, all, err)
}

// print writes counters in two columns, or as JSON. failed is why there are not more of them, and is returned: counters that
// are broken are none of the others' business, but after any other error nothing is printed, for half a list is easily taken
// for a whole one.
func (o *countersOptions) print(w io.Writer, l listed, failed error) error {
	if isBroken(failed) {
		failed = withHint(failed, "tmctl counters set ID N --force puts a number there")
	} else if failed != nil {
		return failed
	}
	if o.asJSON {
		return errors.Join(printJSON(w, l), failed)
	}
	wide := 0
	for _, c := range l.Counters {
		wide = max(wide, len(c.ID))
	}
	for _, c := range l.Counters {
		if _, err := fmt.Fprintf(w, "%-*s  %d\n", wide, c.ID, c.Turno); err != nil {
			return err
		}
	}
	return failed
}
