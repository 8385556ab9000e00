//go:build linux

package faults

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

// leastProof is how many completed requests prove something of a row.
const leastProof = 500

// judge holds what the load says, and what the nodes say afterwards, against what the row wants.
func (s *scene) judge(r *history.Result) {
	s.Helper()
	s.Logf("%s · unknown %d, declared %d, errors %v", r.Sentence, r.Proof.Unknown, r.Proof.Declared, r.ErrorReasons)
	for _, n := range s.nodes {
		n.checkLog()
	}
	s.checkSecret()
	s.judgeProof(r)
	if s.fault.want.violated {
		return
	}
	s.judgeRequests(r)
	if !s.Failed() {
		s.atRest(r)
	}
	if s.Failed() {
		s.Log(s.logs())
	}
}

// checkSecret wants no password in what the load says and writes.
func (s *scene) checkSecret() {
	s.Helper()
	said := s.load.stdout.String() + s.load.stderr.String()
	for _, name := range []string{history.RunFile, history.JournalFile} {
		b, err := os.ReadFile(filepath.Join(s.load.dir, name))
		if err != nil {
			s.Error(err)
		}
		said += string(b)
	}
	if strings.Contains(said, secret) {
		s.Error("tmctl load shows the store's password")
	}
}

// judgeProof wants load, while it runs, and check, from what was recorded, to come to the row's verdict.
func (s *scene) judgeProof(r *history.Result) {
	s.Helper()
	w, p := s.fault.want, &r.Proof
	verdict, code := s.load.checked()
	if w.violated {
		if r.Verdict != history.Violated || r.ExitCode != 4 || p.Violations() == 0 || verdict != history.Violated || code != 4 {
			s.Errorf("load says %s, exit %d, check says %s, exit %d; want violated, exit 4", r.Verdict, r.ExitCode, verdict, code)
		}
		return
	}
	if r.Verdict == history.Violated || p.Violations() > 0 || p.Linearizable == nil || !*p.Linearizable {
		s.Errorf("load says %s: %d duplicates, %d went back, %d gaps, %d bad answers; want none, and proved", r.Verdict, p.Duplicates, p.WentBack, p.Gaps, p.BadAnswers)
		for _, f := range p.Findings[:min(3, len(p.Findings))] {
			s.Log(f.Text)
		}
	}
	if s.fault.plan.duration == 0 && r.ExitCode != 130 {
		s.Errorf("load ended with %d by itself; want it to go on until it is stopped", r.ExitCode)
	}
	if w.ends {
		return // too few numbers are left to prove anything else
	}
	if p.Ops < leastProof || verdict != history.Pass || code != 0 {
		s.Errorf("%d requests completed, check says %s, exit %d; want %d or more, pass, exit 0", p.Ops, verdict, code, leastProof)
	}
	if !w.lossy && w.declares != (p.Declared > 0) {
		s.Errorf("%d numbers are declared; want some: %v", p.Declared, w.declares)
	}
}

func (s *scene) judgeRequests(r *history.Result) {
	s.Helper()
	w := s.fault.want
	if w.pass && r.Errors > 0 {
		s.Errorf("%d requests failed (%v); want none", r.Errors, r.ErrorReasons)
	}
	for _, remark := range slices.Concat(r.Remarks, r.Proof.Remarks) {
		if strings.Contains(remark, "contradict") || strings.Contains(remark, "add up") {
			s.Errorf("load remarks: %s", remark)
		}
	}
	if w.known && r.Proof.Unknown > 0 {
		s.Errorf("of %d requests nobody knows whether they consumed a number (%v); want none", r.Proof.Unknown, r.ErrorReasons)
	}
}

// atRest looks at the nodes when the load is over: every one still works, and its books balance.
func (s *scene) atRest(r *history.Result) {
	s.Helper()
	for _, n := range s.nodes {
		n.checkLedger()
	}
	if s.fault.after != nil {
		s.fault.after(s, r)
	}
	seen := uint64(0)
	for _, n := range s.nodes {
		a, err := n.ask("afterwards")
		if err != nil || a.status != 200 || a.turno <= seen {
			s.Errorf("%s: a request afterwards = %+v, %v; want a number above %d", n.name, a, err, seen)
		}
		seen = a.turno
		n.checkLedger()
	}
}

// reconcile holds what the nodes wrote down against the store: its counters are what it gave, and of that every number is
// delivered, burned or unknown (checkLedger). It is for rows in which all nodes live on and the store does not go back.
func (s *scene) reconcile(r *history.Result) {
	s.Helper()
	var sum api.Ledger
	for _, n := range s.nodes {
		l := n.snapshot().Ledger
		sum.Issued += l.Issued
		sum.Delivered += l.Delivered
		sum.Unknown += l.Unknown
	}
	last := s.nodes[0].peek(s.idOf()) - s.given
	for _, id := range s.others {
		last += s.nodes[0].peek(id)
	}
	if last > sum.Issued || last < sum.Issued-sum.Unknown {
		s.Errorf("the store's counters are %d in all; the nodes say that they were given %d, of which %d are unknown", last, sum.Issued, sum.Unknown)
	}
	if r.Proof.Ops > sum.Delivered {
		s.Errorf("%d requests got a number; the nodes say that they delivered %d", r.Proof.Ops, sum.Delivered)
	}
}

// idOf is the load's id.
func (s *scene) idOf() string {
	s.Helper()
	run, err := history.ReadRun(s.load.dir)
	if err != nil || len(run.IDs) != 1 {
		s.Fatalf("read the run: %v; want one id", err)
	}
	return run.IDs[0]
}
