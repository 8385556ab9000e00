package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// figure is one thing that is measured.
type figure struct {
	name    string
	lasts   func(o *options) time.Duration // at most
	measure func(ctx context.Context, b *bench) ([]row, error)
}

// figures in the order of the table.
func figures() []figure {
	return []figure{
		{"server", takesTurns(2), measureServer},
		{"loader", takesTurns(6), measureLoader},
		{"fixed", takesTurns(3), measureFixed},
		{"memory", memoryLasts, measureMemory},
		{"stores", takesTurns(5), measureStores},
		{"alone", takesTurns(3), measureAlone},
		{"blocks", takesTurns(len(connectionCounts)), measureBlocks},
		{"overload", takesTurns(4 * 6), measureOverload}, // four stores, six runs each
	}
}

func figureNames() (names []string) {
	for _, f := range figures() {
		names = append(names, f.name)
	}
	return names
}

// takesTurns bounds a figure with so many contenders: each run has its processes to start and to end, and half as much again
// is for a machine that others use.
func takesTurns(contenders int) func(*options) time.Duration {
	return func(o *options) time.Duration {
		one := time.Duration(o.seconds)*time.Second*3/2 + 3*time.Second
		return time.Duration(o.rounds*contenders)*one + 30*time.Second
	}
}

// The connections and threads that every closed loop has, and the rate of the open one.
const (
	connections = 64
	wrkThreads  = 2
	fixedRate   = 20_000
)

// bench is one invocation, and what it found so far.
type bench struct {
	options
	dir      string
	progress io.Writer
	tools    tools
	notes    []string
	runs     map[string]map[string]series // figure → contender → its runs
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

// note says something that the reader of the table must know, once.
func (b *bench) note(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	if !slices.Contains(b.notes, s) {
		b.notes = append(b.notes, s)
		b.say("note: %s", s)
	}
}

func (b *bench) length() time.Duration { return time.Duration(b.seconds) * time.Second }

func (b *bench) chosen() (all []figure) {
	for _, f := range figures() {
		if b.only == "" || b.only == f.name {
			all = append(all, f)
		}
	}
	return all
}

func (b *bench) estimate() (sum time.Duration) {
	for _, f := range b.chosen() {
		sum += f.lasts(&b.options)
	}
	return sum
}

func (b *bench) settings() string {
	return fmt.Sprintf("medians of %d interleaved rounds of %d s, %d connections, loopback", b.rounds, b.seconds, connections)
}
