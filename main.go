// Command tmctl is the toolkit of a person who runs a turn server.
//
// The map of the repository:
//
//	cmd/             the commands: flags → one domain call → exit code
//	server/          the turn service; server/store/… where counters live; server/api what clients may know of it
//	loadgen/         the load test: plan, engines, pacing, search
//	history/         what each client did and saw, and the run directory; history/linear proves it
//	journal/         the events of a run or a service, one a line
//	honeycomb/       markers on Honeycomb's graphs
//	report/          a run as a document
//	faults/          tests only: real servers broken under load, the proof as the judge
//	bench/           a program of its own: the binary beside its peers
//	templates/       embedded files
//	docs/            ARCHITECTURE.md is the page to read next
package main

import (
	"os"

	"github.com/turnomatico/tmctl/cmd"
)

func main() { os.Exit(cmd.Main()) }
