package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
)

// atlas knows which node of a cluster serves which slot. All partitions share one, and ask it whenever they connect: after a
// node died, or said that a slot is another's (MOVED), that is at once. So it needs no word from them about what went wrong.
type atlas struct {
	option Options // how to get in
	secure *tls.Config
	ask    func(ctx context.Context, addr string) chartAnswer

	turn chan struct{} // held by who asks the nodes; guards what follows
	at   time.Time     // when they were asked last, and
	err  error         // why none told

	mu    sync.Mutex
	last  *chart          // the newest that was told
	build rueidis.Builder // whoever makes it; there is one from the first chart on
}

// chart is what a node says of the slots. It does not change.
type chart struct {
	sound  bool // that node finds the cluster in order
	shards []shard
}

// shard is a range of slots and who serves it.
type shard struct {
	from, to int
	master   string
	replicas []string
}

const (
	// chartLasts is how soon the nodes may be asked again, however many connections want to know.
	chartLasts = 100 * time.Millisecond
	// surveyWithin bounds the question. A node that is paused must not keep others from being believed.
	surveyWithin = time.Second
	// surveyed is how many nodes are asked at once.
	surveyed = 8
)

func newAtlas(o Options) (*atlas, error) {
	secure, err := o.secure()
	a := &atlas{option: o, secure: secure, turn: make(chan struct{}, 1)}
	a.ask = a.askNode
	return a, err
}

// master is who serves a slot now, as far as is known.
func (a *atlas) master(ctx context.Context, slot int) (string, error) {
	c, err := a.chart(ctx)
	if err != nil {
		return "", err
	}
	if s := c.of(slot); s != nil {
		return s.master, nil
	}
	return "", fmt.Errorf("no node of the cluster serves slot %d", slot)
}

// of is the shard that has a slot; nil: none.
func (c *chart) of(slot int) *shard {
	for i := range c.shards {
		if s := &c.shards[i]; s.from <= slot && slot <= s.to {
			return s
		}
	}
	return nil
}

// known is the newest chart that there was; nil: none yet.
func (a *atlas) known() *chart {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// chart asks the nodes unless that was just done. An old chart is better than none: who is dialled by it says what is wrong.
func (a *atlas) chart(ctx context.Context) (*chart, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if time.Since(a.at) >= a.option.chartLasts {
		err := a.survey(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err() // it is the caller who had no time
		}
		a.at, a.err = time.Now(), err
	}
	if c := a.known(); c != nil {
		return c, nil
	}
	return nil, a.err
}

// chartAnswer is what a node said.
type chartAnswer struct {
	chart *chart
	build rueidis.Builder
	err   error
}

// survey asks several nodes at once and takes the first sound chart, else the first there is.
func (a *atlas) survey(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(surveyWithin, a.option.patience))
	nodes := a.nodes()
	answers := make(chan chartAnswer, len(nodes))
	var asking sync.WaitGroup
	for _, addr := range nodes {
		asking.Go(func() { answers <- a.ask(ctx, addr) })
	}
	defer asking.Wait()
	defer cancel()
	var best *chartAnswer
	var errs []error
	for range nodes {
		switch t := <-answers; {
		case t.err != nil:
			errs = append(errs, t.err)
		case t.chart.sound:
			a.learn(&t)
			return nil
		case best == nil:
			best = &t
		}
	}
	if best == nil {
		return listed(errs)
	}
	a.learn(best)
	return nil
}

// listed is the first few of errs, in one line.
func listed(errs []error) error {
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	all := errs[0]
	for _, err := range errs[1:min(3, len(errs))] {
		all = fmt.Errorf("%w; %w", all, err)
	}
	return all
}

func (a *atlas) learn(t *chartAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		a.build = t.build
	}
	a.last = t.chart
}

// nodes are some of those that may be asked, in any order.
func (a *atlas) nodes() []string {
	all := slices.Clone(a.option.seeds)
	if c := a.known(); c != nil {
		for _, s := range c.shards {
			all = append(append(all, s.master), s.replicas...)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(len(all), surveyed)]
}

// askNode asks one node over a connection of its own.
func (a *atlas) askNode(ctx context.Context, addr string) chartAnswer {
	o := a.option
	o.addr, o.where = addr, nil
	if o.tls {
		o.host, _, _ = net.SplitHostPort(addr)
	}
	secure := a.secure
	if secure != nil {
		secure = secure.Clone()
		secure.ServerName = o.host
	}
	l := newLine(o, secure)
	defer l.close()
	if err := l.open(ctx); err != nil {
		return chartAnswer{err: fmt.Errorf("connect to %s: %w", addr, err)}
	}
	b := l.client.B()
	answers, err := l.do(ctx, b.ClusterSlots().Build(), b.ClusterInfo().Build())
	if err != nil {
		return chartAnswer{err: fmt.Errorf("ask %s for the slots: %w", addr, err)}
	}
	c, err := chartOf(answers[0], addr)
	if rueidisErr, is := rueidis.IsRedisErr(err); is {
		err = slotsRefused(l.words, rueidisErr)
	}
	if err != nil {
		return chartAnswer{err: fmt.Errorf("ask %s for the slots: %w", addr, err)}
	}
	if text, err := answers[1].ToString(); err == nil {
		c.sound = strings.Contains(text, "cluster_state:ok")
	}
	return chartAnswer{chart: c, build: b}
}

// slotsRefused is the error of a node that does not tell of slots.
func slotsRefused(w words, err *rueidis.RedisError) error {
	if text := err.Error(); strings.Contains(text, "cluster support disabled") {
		return fmt.Errorf("%w: it is one Redis alone, no part of a cluster", server.ErrUnavailable)
	}
	return w.refusal(err)
}

// chartOf reads CLUSTER SLOTS, as the node at addr answered it.
func chartOf(answer rueidis.RedisResult, addr string) (*chart, error) {
	ranges, err := answer.ToArray()
	if err != nil {
		return nil, err
	}
	c := &chart{}
	for _, r := range ranges {
		parts, err := r.ToArray()
		if err != nil || len(parts) < 3 {
			return nil, errors.New("redis answered a range of slots without a master")
		}
		from, err1 := parts[0].AsInt64()
		to, err2 := parts[1].AsInt64()
		s := shard{from: int(from), to: int(to)}
		for i, node := range parts[2:] {
			at, err := placeOf(node, addr)
			switch {
			case err != nil || err1 != nil || err2 != nil:
				return nil, errors.Join(err, err1, err2)
			case i == 0:
				s.master = at
			default:
				s.replicas = append(s.replicas, at)
			}
		}
		c.shards = append(c.shards, s)
	}
	if len(c.shards) == 0 {
		return nil, errors.New("no node of the cluster has slots yet")
	}
	return c, nil
}

// placeOf is where a node listens. One that does not know its name is where the node that speaks of it was found.
func placeOf(node rueidis.RedisMessage, addr string) (string, error) {
	parts, err := node.ToArray()
	if err != nil || len(parts) < 2 {
		return "", errors.New("redis answered a node without an address")
	}
	port, err := parts[1].AsInt64()
	if err != nil {
		return "", err
	}
	host, err := parts[0].ToString()
	if err != nil || host == "" || host == "?" {
		host, _, _ = net.SplitHostPort(addr)
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10)), nil
}
