package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/turnomatico/tmctl/history"
)

// recordRun is a script's `record DIR WHAT`: it writes the run directory of 200 requests to a server of which WHAT says
// what is wrong with it, or with the files.
func recordRun(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: record DIR WHAT")
	}
	dir, what := ts.MkAbs(args[0]), args[1]
	ts.Check(history.CreateDir(dir))
	run := &history.Run{Schema: history.Schema, Tool: "tmctl test", IDs: []string{"grupo1"}, Nodes: []string{"127.0.0.1:7017"},
		Plan: history.Plan{Fresh: true, Exclusive: what != "shared", Record: "full"}}
	if strings.HasPrefix(what, "declared") {
		run.Declared = []history.Range{{ID: "grupo1", First: 151, Last: 1_000_150}}
	}
	b := rightBatch(200)
	spoil(&b, what)
	run.Proof = recordedProof(&b, what)
	ts.Check(history.WriteRun(dir, run))
	if what == "norecord" {
		return
	}
	path := filepath.Join(dir, history.HistoryFile)
	w, err := history.Create(path)
	ts.Check(err)
	for _, b := range inSeconds(b) {
		ts.Check(w.Add(b))
	}
	ts.Check(w.Close())
	file, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(os.WriteFile(path, damage(file, what), 0o644))
}

// rightBatch is n requests on two connections, 10 ms each, two always in flight: the turnos are right.
func rightBatch(n int) (b history.Batch) {
	for i := range n {
		o := history.Op{Call: time.Duration(i) * 5 * time.Millisecond, Turno: uint64(i + 1), Seen: uint64(max(0, i-1)), Status: 200}
		o.Return = o.Call + 9*time.Millisecond
		b.Ops = append(b.Ops, o)
	}
	return b
}

// spoil makes the server wrong.
func spoil(b *history.Batch, what string) {
	o := &b.Ops[150]
	switch what {
	case "duplicate":
		o.Turno = b.Ops[100].Turno
	case "gap":
		b.Ops = append(b.Ops[:150], b.Ops[151:]...)
	case "declared", "declared-short", "declared-later":
		by := uint64(1_000_000)
		if what == "declared-short" {
			by++
		}
		for i := range b.Ops {
			o := &b.Ops[i]
			if i >= 150 {
				o.Turno += by
			}
			if o.Seen > 150 {
				o.Seen += by
			}
		}
	case "burned":
		o.Outcome, o.Reason, o.Turno, o.Status = history.Unknown, history.TimedOut, 0, 0
	case "bad":
		o.Outcome, o.Reason, o.Turno = history.Unknown, history.NotNumber, 0
		b.Answers = []history.Answer{{Index: 150, Body: []byte(`{"id":"grupo1","turno":"151"}`)}}
	case "few":
		b.Ops = b.Ops[:42]
	case "nothing":
		b.Ops = nil
	case "one-by-one":
		for i := range b.Ops {
			b.Ops[i].Return, b.Ops[i].Seen = b.Ops[i].Call+time.Millisecond, uint64(i)
		}
	}
}

// recordedProof is what run.json says, if it is to say anything.
func recordedProof(b *history.Batch, what string) (p history.Proof) {
	for _, o := range b.Ops {
		if o.Outcome == history.OK {
			p.Ops++
		} else {
			p.Unknown++
		}
	}
	switch what {
	case "duplicate":
		p.Duplicates, p.WentBack, p.Gaps = 1, 1, 1
	case "gap":
		p.Gaps = 1
	case "declared":
		p.Declared = 1_000_000
	case "declared-short":
		p.Gaps, p.Declared = 1, 1_000_000
	case "bad":
		p.BadAnswers = 1
	case "other-counts":
		p.Ops = 7
	}
	return p
}

// inSeconds cuts a batch into four, so that the file has several blocks once each spans more than a second.
func inSeconds(b history.Batch) (cut []history.Batch) {
	if len(b.Ops) < 200 || b.Answers != nil {
		return []history.Batch{b}
	}
	for lo := 0; lo < len(b.Ops); lo += 50 {
		part := history.Batch{Ops: b.Ops[lo:min(lo+50, len(b.Ops))]}
		if next := lo + 50; next < len(b.Ops) {
			part.Watermark = b.Ops[next].Call
		}
		for i := range part.Ops { // stretched: four seconds in all
			part.Ops[i].Call *= 5
			part.Ops[i].Return *= 5
		}
		part.Watermark *= 5
		cut = append(cut, part)
	}
	return cut
}

// damage spoils the file.
func damage(file []byte, what string) []byte {
	switch what {
	case "torn":
		return file[:len(file)-len(file)/4]
	case "damaged":
		file = bytes.Clone(file)
		file[len(file)/2] ^= 4
	case "alien":
		return []byte("PK\x03\x04 this is something else")
	case "unclosed":
		return file[:8]
	}
	return file
}
