// Package faults holds the fault matrix: real tmctl and redis-server processes that are killed, paused, cut off and filled
// up in the middle of a load, and the proof over what its clients saw as the judge. It has no code but tests; start with
// the table in table_test.go, which docs/GUARANTEES.md is written from, and then scene_test.go, which plays one row of it.
//
// The matrix is slow, so it runs only with TMCTL_FAULTS=1 in the environment (make test-faults). That the document says
// what the table says is tested always.
package faults
