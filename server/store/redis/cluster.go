package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"github.com/turnomatico/tmctl/server"
)

// Cluster is one node's handle on a Redis Cluster. Make one with [Options.OpenCluster].
//
// The ids are spread over partitions, 16 unless the URL says otherwise. A partition is a [Store] whose keys all lie in one
// slot, for its prefix has a hash tag: turno:{42}:grupo1. So a call of it, with all that it touches, is one script on one
// master, and what goes wrong there (a failover, a move of the slot, a loss) concerns the ids of that partition only.
//
// A partition follows its slot. It asks the atlas who serves that whenever it connects, and connects anew when the master
// says that the slot is another's (MOVED) or on its way there (ASK, TRYAGAIN). Nothing was taken then; that is
// [server.ErrChanged] (errors.go), so the requests wait until Rejoin succeeds. The new master does not know the script of
// the partition's life: it is another process with the same keys, as after any failover, and the marks are compared (life.go).
//
// A slot that moves is without service until it has arrived, for Redis runs no script that touches keys of both masters.
type Cluster struct {
	atlas  *atlas
	name   string
	parts  []*Store
	stores []server.Store // the same
	bounds server.Bounds
	log    *slog.Logger
}

var _ server.Sharded = (*Cluster)(nil)

// OpenCluster makes this process a node of a cluster. Its errors hold no secrets. One shard that can't be reached keeps no
// node from starting: its partitions are left to Rejoin.
func (o Options) OpenCluster(ctx context.Context, bounds server.Bounds, log *slog.Logger) (*Cluster, error) {
	c, known, err := o.findCluster(ctx, bounds, log)
	if err != nil {
		return nil, err
	}
	if err = c.record(ctx, known); err == nil {
		err = c.join(ctx)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// VisitCluster opens the cluster for one who looks around: it leaves nothing there, and its parts' Reserve does not work.
func (o Options) VisitCluster(ctx context.Context, log *slog.Logger) (*Cluster, error) {
	c, _, err := o.findCluster(ctx, server.Bounds{}, log)
	if err != nil {
		return nil, err
	}
	if err := c.each(func(s *Store) error { return s.look(ctx) }); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// findCluster finds the nodes, and how many partitions there are; known is whether somebody has said so.
func (o Options) findCluster(ctx context.Context, bounds server.Bounds, log *slog.Logger) (c *Cluster, known bool, err error) {
	a, err := newAtlas(o)
	if err != nil {
		return nil, false, err
	}
	if _, err := a.chart(ctx); err != nil {
		return nil, false, err
	}
	c = &Cluster{atlas: a, name: o.name, bounds: bounds, log: log}
	asked := o.partitions
	o.partitions = cmp.Or(asked, DefaultPartitions)
	c.divide(o)
	n, err := c.agree(ctx, asked)
	if err != nil {
		c.Close()
		return nil, false, err
	}
	if n != 0 && n != o.partitions {
		c.Close()
		o.partitions = n
		c.divide(o)
	}
	return c, n != 0, nil
}

// divide makes the partitions. They connect when they are used.
func (c *Cluster) divide(o Options) {
	c.parts, c.stores = nil, nil
	for _, tag := range tagsOf(o.partitions) {
		part, slot := o, slotOf(tag)
		part.partition = true
		part.name += " partition {" + tag + "}"
		part.where = func(ctx context.Context) (string, error) { return c.atlas.master(ctx, slot) }
		s := &Store{
			client: part.lines(c.atlas), options: part, prefix: o.prefix + "{" + tag + "}:", name: part.name,
			bounds: shares(c.bounds, o.partitions), node: rand.Text()[:16], log: c.log,
		}
		s.facts.Store(&facts{})
		c.parts = append(c.parts, s)
		c.stores = append(c.stores, s)
	}
}

// lines makes a client that connects when it is used.
func (o Options) lines(a *atlas) *client {
	c := &client{desk: newLine(o, a.secure), build: a.build}
	for i := range c.slots {
		c.slots[i] = newLine(o, a.secure)
	}
	return c
}

// shares is what each of n partitions may hold: its part and a quarter more, and 16, for no spread is quite even. The whole
// may hold that much more, too.
func shares(b server.Bounds, n int) server.Bounds {
	share := func(all int) int {
		if n == 1 {
			return all
		}
		return min(all, all/n+all/n/4+16)
	}
	return server.Bounds{IDs: share(b.IDs), Sessions: share(b.Sessions), SessionTTL: b.SessionTTL}
}

// join makes this node known to every partition that can be reached.
func (c *Cluster) join(ctx context.Context) error {
	return c.each(func(s *Store) error {
		err := s.join(ctx)
		if err != nil {
			c.log.Warn("a partition of the cluster can't be used yet", "err", err)
		}
		return err
	})
}

// each does something with every partition at once. It errs if that went well with none.
func (c *Cluster) each(do func(*Store) error) error {
	errs := make([]error, len(c.parts))
	var all sync.WaitGroup
	for i, s := range c.parts {
		all.Go(func() { errs[i] = do(s) })
	}
	all.Wait()
	if slices.Contains(errs, nil) {
		return nil
	}
	return errs[0]
}

// Parts implements [server.Sharded].
func (c *Cluster) Parts() []server.Store { return c.stores }

// Part implements [server.Sharded].
func (c *Cluster) Part(id []byte) int { return partitionOf(id, len(c.parts)) }

// of is the partition of an id.
func (c *Cluster) of(id string) *Store { return c.parts[partitionOf(id, len(c.parts))] }

var errParts = errors.New("the numbers of a cluster are its parts' to give")

// Reserve implements [server.Store]: nobody calls it, for each part makes its own calls.
func (c *Cluster) Reserve(context.Context, *server.Call) error {
	return errors.Join(server.ErrUnavailable, errParts)
}

// Peek implements [server.Store].
func (c *Cluster) Peek(ctx context.Context, id string) (uint64, error) { return c.of(id).Peek(ctx, id) }

// Close implements [server.Store].
func (c *Cluster) Close() error {
	for _, s := range c.parts {
		s.client.close()
	}
	return nil
}
