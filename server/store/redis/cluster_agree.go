package redis

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/rueidis"
)

// How many partitions there are is written into the cluster by the first node that comes, for which of them has an id
// follows from it: a node that counted otherwise would begin every id anew. It stands in every partition, so that one shard
// which is down or was emptied takes it from nobody. Two nodes that come first, at the same time, and disagree, are told so by
// the partition {0}, which there is however many there are.
const firstTag = "0"

func (s *Store) partitionsKey() string { return s.prefix + "#partitions" }

// agree finds out how many partitions there are, as far as can be asked; 0: nobody has said so yet. It errs if the URL says
// otherwise.
func (c *Cluster) agree(ctx context.Context, asked int) (int, error) {
	var mu sync.Mutex
	found := map[int]string{}
	err := c.each(func(s *Store) error {
		n, err := s.partitions(ctx, s.client.B().Get().Key(s.partitionsKey()).Build())
		if err == nil && n != 0 {
			mu.Lock()
			found[n] = s.partitionsKey()
			mu.Unlock()
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	if len(found) > 1 {
		return 0, fmt.Errorf("the records of how many partitions there are disagree: %v", found)
	}
	for n := range found {
		if asked != 0 && n != asked {
			return 0, fmt.Errorf("the counters of this cluster are in %d partitions, not in %d: write ?partitions=%d, or leave it out", n, asked, n)
		}
		return n, nil
	}
	return 0, nil
}

// record writes down how many partitions there are wherever that is missing; known is whether it stands somewhere.
func (c *Cluster) record(ctx context.Context, known bool) error {
	want := len(c.parts)
	write := func(s *Store) error {
		n, err := s.partitions(ctx,
			s.client.B().Set().Key(s.partitionsKey()).Value(strconv.Itoa(want)).Nx().Build(),
			s.client.B().Get().Key(s.partitionsKey()).Build())
		if err == nil && n != want {
			err = fmt.Errorf("another node came first: the counters of this cluster are in %d partitions, not in %d", n, want)
		}
		return err
	}
	if err := write(c.parts[partitionOf(firstTag, want)]); err != nil && !known {
		return err
	}
	return c.each(write)
}

// partitions sends commands, of which the last reads the record. It may be asked again.
func (s *Store) partitions(ctx context.Context, commands ...rueidis.Completed) (int, error) {
	answers, err := s.client.ask(ctx, commands...)
	if err != nil {
		return 0, err
	}
	text, err := answers[len(answers)-1].ToString()
	if rueidis.IsRedisNil(err) {
		return 0, nil
	}
	if err != nil {
		return 0, s.client.refusal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s holds %.40q, which is no number of partitions", s.partitionsKey(), text)
	}
	return n, nil
}
