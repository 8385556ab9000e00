package cmd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/file"
)

// counterTable is a store whose counters an operator may look at and move.
type counterTable interface {
	// Peek returns the last number given of id; 0 for one that does not exist. One that is broken is a server.BrokenError.
	Peek(ctx context.Context, id string) (uint64, error)
	// List calls each with every counter, in no order, until that errs. Those that are broken are left out, and are its error
	// at the end.
	List(ctx context.Context, each func(id string, last uint64) error) error
	// Set makes last the last number given of id, in one step, and returns what it was. Where that would go back it errs
	// with server.ErrBackwards, where the id is stopped and stays so with a server.BelowMarkError, and where the counter is
	// broken with a server.BrokenError, unless back is set.
	Set(ctx context.Context, id string, last uint64, back bool) (was uint64, err error)
}

// countersOptions are what all commands on counters share.
type countersOptions struct {
	store  string
	asJSON bool
}

func newCounters(env *Env) *cobra.Command {
	o := &countersOptions{}
	c := &cobra.Command{
		Use:   "counters",
		Short: "Look at a store's counters, and move them forward",
		Long: `counters works on the store itself, past the nodes that serve it. A counter is the last number given of an id.

A directory (file:DIR) has one user at a time: while serve has it, ask serve's admin plane,
curl http://127.0.0.1:7018/v1/counters/grupo1. Counters in memory are only there.

A password is better kept out of the command line, where ps shows it: put the URL into TMCTL_COUNTERS_STORE.`,
		Example: "  tmctl counters list --store redis://localhost\n  tmctl counters get grupo1 --store file:/var/lib/turnos\n  tmctl counters set grupo1 500 --store redis://localhost",
		Args:    unknownCommand,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := c.PersistentFlags()
	f.StringVar(&o.store, "store", "", "`URL` of the store that has the counters: "+storeNames)
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	c.AddCommand(newCountersGet(env, o), newCountersList(env, o), newCountersSet(env, o))
	return c
}

func (o *countersOptions) validate() error {
	if o.store == server.DefaultStore {
		return usageError("ask the server that has them: "+askServer("ID"), "--store %s: those counters are in the memory of a running serve", o.store)
	}
	return neededStore("TMCTL_COUNTERS_STORE", o.store)
}

// askServer is how to look at a counter that a running server has for itself.
func askServer(id string) string {
	return "curl http://" + server.DefaultAdmin + api.CountersPath + id
}

// needID refuses what is no id.
func needID(id string) error {
	if api.ValidID(id) {
		return nil
	}
	return usageError(fmt.Sprintf("an id is 1 to %d of A–Z a–z 0–9 . _ -", api.MaxIDLength), "%q is no id", id)
}

// look is with for work that only looks: it makes no new directory, which a slip of the pen may be.
func (o *countersOptions) look(ctx context.Context, work func(counterTable) error) error {
	if dir, ok := strings.CutPrefix(o.store, "file:"); ok && newDir(dir) {
		return withHint(fmt.Errorf("no counters in %s", dir), "serve makes them when it starts, and counters set; is it the right directory?")
	}
	return o.with(ctx, work)
}

// with opens the store for work and closes it after.
func (o *countersOptions) with(ctx context.Context, work func(counterTable) error) (err error) {
	store, err := visitStore(ctx, o.store, server.Bounds{IDs: math.MaxInt})
	if errors.Is(err, file.ErrInUse) {
		return withHint(err, "if that is serve, it tells: "+askServer("ID")+"; to move a counter, stop it first")
	}
	if err != nil {
		return err
	}
	defer func() {
		if e := store.Close(); err == nil {
			err = e
		}
	}()
	table, ok := store.(counterTable)
	if !ok {
		return fmt.Errorf("the counters of %s can't be looked at from outside", store.Info().Name)
	}
	if err = work(table); err != nil && hintOf(err) == "" && !isBroken(err) {
		err = withHint(err, storeHint(o.store, err))
	}
	return err
}
