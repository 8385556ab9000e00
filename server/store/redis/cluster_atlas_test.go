package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// A node that is cut off from the others tells of an old order. It is believed only if nobody else speaks.
func TestAtlasBelieves(t *testing.T) {
	view := func(master string, sound bool) chartAnswer {
		return chartAnswer{chart: &chart{sound: sound, shards: []shard{{from: 0, to: 100, master: master}}}}
	}
	refuses := chartAnswer{err: errors.New("down")}
	tests := []struct {
		name string
		says map[string]chartAnswer
		want string
	}{
		{"all agree", map[string]chartAnswer{"a:1": view("new", true), "b:1": view("new", true)}, "new"},
		{"one is cut off", map[string]chartAnswer{"a:1": view("old", false), "b:1": view("new", true)}, "new"},
		{"one is down", map[string]chartAnswer{"a:1": refuses, "b:1": view("new", true)}, "new"},
		{"all are cut off", map[string]chartAnswer{"a:1": view("old", false), "b:1": refuses}, "old"},
		{"none answers", map[string]chartAnswer{"a:1": refuses, "b:1": refuses}, "down; down"},
	}
	for _, tt := range tests {
		for i := range 10 { // they are asked in any order
			o, err := Parse("redis+cluster://a:1,b:1")
			if err != nil {
				t.Fatal(err)
			}
			a, err := newAtlas(o)
			if err != nil {
				t.Fatal(err)
			}
			a.ask = func(_ context.Context, addr string) chartAnswer { return tt.says[addr] }
			got, err := a.master(t.Context(), i)
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("%s: master(%d) = %s; want %s", tt.name, i, got, tt.want)
			}
			if _, err := a.master(t.Context(), 101); err == nil {
				t.Errorf("%s: a slot that is no one's has a master", tt.name)
			}
		}
	}
}

// What was known goes on to count when nobody answers: who is dialled by it says what is wrong.
func TestAtlasRemembers(t *testing.T) {
	o, err := Parse("redis+cluster://a:1")
	if err != nil {
		t.Fatal(err)
	}
	o.chartLasts = 0
	a, err := newAtlas(o)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	answer := chartAnswer{chart: &chart{sound: true, shards: []shard{{from: 0, to: 100, master: "b:2", replicas: []string{"c:3"}}}}}
	a.ask = func(_ context.Context, addr string) chartAnswer { asked = append(asked, addr); return answer }
	for _, when := range []string{"at first", "when all are down"} {
		if got, err := a.master(t.Context(), 5); got != "b:2" || err != nil {
			t.Errorf("%s: master(5) = %s, %v; want b:2", when, got, err)
		}
		answer = chartAnswer{err: errors.New("down")}
		a.option.patience = time.Minute
		a.ask = func(_ context.Context, addr string) chartAnswer { return answer }
	}
	if fmt.Sprint(asked) != "[a:1]" {
		t.Errorf("asked %v; want the one that the URL names", asked)
	}
	if got := len(a.nodes()); got != 3 {
		t.Errorf("%d nodes may be asked; want the one of the URL, the master and the replica", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.master(ended, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("master() = %v for one who has no time left; want that", err)
	}
}

func TestTags(t *testing.T) {
	if got := slotOf("123456789"); got != 0x31C3%slotCount { // the specification's own
		t.Errorf("slotOf(123456789) = %d; want %d", got, 0x31C3%slotCount)
	}
	fewer := map[string]bool{}
	for n := 1; n <= maxPartitions; n *= 2 {
		tags := tagsOf(n)
		has := map[string]bool{}
		for i, tag := range tags {
			if has[tag] = true; partitionOf(tag, n) != i {
				t.Errorf("tag %s of partition %d of %d is in another one's range", tag, i, n)
			}
		}
		for tag := range fewer {
			if !has[tag] {
				t.Errorf("of %d partitions none is {%s}, which is one of fewer", n, tag)
			}
		}
		fewer = has
		if !has[firstTag] {
			t.Errorf("of %d partitions none is {%s}", n, firstTag)
		}
	}
	if got := fmt.Sprint(tagsOf(16)); got != "[10 3 61 43 11 2 60 42 12 1 63 41 13 0 62 40]" { // what is kept in clusters that are there
		t.Errorf("tagsOf(16) = %s", got)
	}
}

// Ids as people make them are spread evenly.
func TestSpreadOfIDs(t *testing.T) {
	const ids = 10_000
	for _, form := range []string{"grupo%d", "id-%d", "%04d", "tienda.%d.caja-1", "user_%06d"} {
		count := make([]int, DefaultPartitions)
		for i := range ids {
			count[partitionOf([]byte(fmt.Sprintf(form, i)), DefaultPartitions)]++
		}
		for p, n := range count {
			if n < ids/DefaultPartitions*9/10 || n > ids/DefaultPartitions*11/10 {
				t.Errorf("of %d ids like "+form+" partition %d has %d; want about %d", ids, 1, p, n, ids/DefaultPartitions)
			}
		}
	}
}

// However many connections ask who serves, the nodes are not asked all the time; but when it matters, at once.
func TestAtlasRests(t *testing.T) {
	c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true})
	asked := func() (n int) {
		for _, m := range c.Masters {
			_, rest, _ := strings.Cut(m.Do("INFO", "commandstats"), "cmdstat_cluster|slots:calls=")
			calls, _, _ := strings.Cut(rest, ",")
			more, _ := strconv.Atoi(calls)
			n += more
		}
		return n
	}
	o := clusterOptions(t, c.URL())
	for _, tt := range []struct {
		lasts   time.Duration
		surveys int
	}{{time.Hour, 1}, {0, 20}} {
		o.chartLasts = tt.lasts
		a, err := newAtlas(o)
		if err != nil {
			t.Fatal(err)
		}
		before := asked()
		for slot := range 20 {
			if addr, err := a.master(t.Context(), slot); addr != c.Masters[0].Addr() || err != nil {
				t.Errorf("master(%d) = %s, %v; want %s", slot, addr, err, c.Masters[0].Addr())
			}
		}
		// A survey asks all three, and believes the first; the others may not have counted it.
		if n := asked() - before; n < tt.surveys || n > 3*tt.surveys {
			t.Errorf("20 connections asked for the slots %d times; want it of %d surveys", n, tt.surveys)
		}
	}
}

func TestShares(t *testing.T) {
	tests := []struct{ all, partitions, want int }{
		{100_000, 1, 100_000}, {100_000, 16, 7828}, {1000, 16, 93}, {10, 16, 10}, {0, 16, 0},
	}
	for _, tt := range tests {
		got := shares(server.Bounds{IDs: tt.all, Sessions: 10 * tt.all, SessionTTL: time.Hour}, tt.partitions)
		if got.IDs != tt.want || got.Sessions < got.IDs || got.SessionTTL != time.Hour {
			t.Errorf("shares(%d, %d) = %+v; want %d ids", tt.all, tt.partitions, got, tt.want)
		}
	}
}
