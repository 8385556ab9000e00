// Package loadgen drives a turn server and finds the most it can take. Start with [Plan] (what to do) and [Run] (do it);
// [Search] decides the next rate, judge.go whether a step passed, and an engine (engine_http1.go, engine_vegeta.go) sends
// the hits. What the connections did goes to a [Sink], in batches, from one goroutine.
package loadgen
