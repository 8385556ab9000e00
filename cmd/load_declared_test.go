package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/history/linear"
	"github.com/turnomatico/tmctl/journal"
	"github.com/turnomatico/tmctl/loadgen"
	"github.com/turnomatico/tmctl/loadgen/targettest"
	"github.com/turnomatico/tmctl/server/api"
)

// jumpProof is a proof that has seen 1, 2 and 6, so that three numbers are missing for good, and the declarations that hold
// them back. In ask the test says what nodes answer.
func jumpProof(ask func() []loadgen.Look) (*linear.Checker, *declarations) {
	c := linear.New(linear.Config{IDs: []string{"a"}, Fresh: true, Exclusive: true})
	c.Add(history.Batch{Ops: []history.Op{{Call: 1, Return: 2, Turno: 1}, {Call: 3, Return: 4, Turno: 2, Seen: 1}, {Call: 5, Return: 6, Turno: 6, Seen: 2}},
		Watermark: 7})
	return c, &declarations{checker: c, ask: ask, now: time.Now, learned: func(history.Range) {}}
}

// sweeps reviews as a run does, for a time, and says when violations first were counted; −1 for never.
func sweeps(d *declarations, length time.Duration) time.Duration {
	began := time.Now()
	for time.Since(began) < length {
		if d.review(); d.violations() > 0 {
			return time.Since(began)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return -1
}

func says(first, last uint64) []loadgen.Look {
	return []loadgen.Look{{Snapshot: api.Snapshot{Declared: []api.Range{{ID: "a", First: first, Last: last}}}}}
}

func TestGapsWaitForDeclarations(t *testing.T) {
	silent := []loadgen.Look{{Err: errors.New("no route to host")}}
	tests := []struct {
		name   string
		ask    func(since time.Duration) []loadgen.Look
		counts bool // violations are counted, within a second or so after declareWithin
	}{
		{"declared at once", func(time.Duration) []loadgen.Look { return says(3, 5) }, false},
		{"declared with more", func(time.Duration) []loadgen.Look { return says(1, 1000) }, false},
		{"declared late", func(since time.Duration) []loadgen.Look {
			if since < declareWithin/2 {
				return says(100, 200)
			}
			return says(3, 5)
		}, false},
		{"declared by a node that answers slowly", func(time.Duration) []loadgen.Look { time.Sleep(2 * declareWithin); return says(3, 5) }, false},
		{"declared bit by bit", func(since time.Duration) []loadgen.Look { return says(3, min(5, 3+uint64(since*4/3/declareWithin))) }, false},
		{"not declared", func(time.Duration) []loadgen.Look { return says(100, 200) }, true},
		{"declared one short", func(time.Duration) []loadgen.Look { return says(3, 4) }, true},
		{"nobody answers", func(time.Duration) []loadgen.Look { return silent }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c, d := jumpProof(func() []loadgen.Look { return tt.ask(time.Since(began)) })
				at := sweeps(d, 10*declareWithin)
				if counted := at >= 0; counted != tt.counts || counted && (at < declareWithin || at > 2*declareWithin) {
					t.Errorf("gaps count after %s (−1: never); want them to count: %v", at, tt.counts)
				}
				if !tt.counts && c.Gaps() != 0 {
					t.Errorf("%d gaps are left", c.Gaps())
				}
				synctest.Wait()
			})
		})
	}
}

// Whatever a declaration can't excuse counts at once, while nodes are still asked about gaps.
func TestOtherViolationsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := jumpProof(func() []loadgen.Look { time.Sleep(time.Second); return says(3, 5) })
		if d.review(); d.violations() != 0 {
			t.Errorf("%d violations before the nodes had their say", d.violations())
		}
		c.Add(history.Batch{Ops: []history.Op{{Call: 8, Return: 9, Turno: 6, Seen: 6}}, Watermark: 10})
		if d.review(); d.violations() != 2 {
			t.Errorf("%d violations after a duplicate that went back; want 2", d.violations())
		}
		time.Sleep(2 * time.Second)
		if d.review(); d.violations() != 2 || c.Gaps() != 0 {
			t.Errorf("%d violations, %d gaps after the declaration; want 2 and none", d.violations(), c.Gaps())
		}
	})
}

func TestWithoutAdminGapsCountAtOnce(t *testing.T) {
	_, d := jumpProof(nil)
	if d.review(); d.violations() != 3 {
		t.Errorf("%d violations; want the 3 gaps", d.violations())
	}
}

// Gaps that counted and are declared after all count no more, and do not make room for others.
func TestGapsDeclaredAfterTheyCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := says(100, 200)
		c, d := jumpProof(func() []loadgen.Look { return answer })
		if sweeps(d, 2*declareWithin) < 0 {
			t.Fatal("the gaps never count")
		}
		answer = says(3, 5)
		d.take(answer)
		d.review()
		c.Add(history.Batch{Ops: []history.Op{{Call: 8, Return: 9, Turno: 9, Seen: 6}}, Watermark: 10})
		if at := sweeps(d, 3*declareWithin); c.Gaps() != 2 || at < declareWithin {
			t.Errorf("%d new gaps count after %s; want 2, after %s", c.Gaps(), at, declareWithin)
		}
		synctest.Wait()
	})
}

// What nodes said when they were asked before gaps came up does not make these count, however late the answer is.
func TestOldAnswersDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan []loadgen.Look)
		c, d := jumpProof(func() []loadgen.Look { return <-answers })
		d.review() // asks
		c.Declare(history.Range{ID: "a", First: 3, Last: 5})
		d.review()
		time.Sleep(time.Millisecond)
		c.Add(history.Batch{Ops: []history.Op{{Call: 8, Return: 9, Turno: 9, Seen: 6}}, Watermark: 10})
		d.review()
		time.Sleep(2 * declareWithin)
		answers <- nil
		synctest.Wait()
		if d.review(); d.violations() != 0 {
			t.Errorf("%d violations by an answer from before", d.violations())
		}
		answers <- says(7, 8)
		synctest.Wait()
		if d.review(); d.violations() != 0 || c.Gaps() != 0 {
			t.Errorf("%d violations, %d gaps after the declaration", d.violations(), c.Gaps())
		}
	})
}

// A run that is over asks until the gaps are declared, and not for longer than it must.
func TestSettleAsksAgain(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers [][]loadgen.Look // the last one again and again
		enough  int              // how many answers it takes
		asks    int
		gaps    uint64
	}{
		{"declared", [][]loadgen.Look{says(3, 5)}, 1, 1, 0},
		{"declared late", [][]loadgen.Look{nil, nil, says(3, 5)}, 1, 3, 0},
		{"declared, but the answer is not enough", [][]loadgen.Look{says(3, 5)}, 4, 4, 0},
		{"not declared", [][]loadgen.Look{nil}, 1, int(declareWithin/askAgain) + 1, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asks := 0
				ask := func(context.Context) []loadgen.Look { asks++; return tt.answers[min(asks, len(tt.answers))-1] }
				c, d := jumpProof(func() []loadgen.Look { return ask(t.Context()) })
				c.Close()
				d.settle(t.Context(), ask, func([]loadgen.Look) bool { return asks >= tt.enough })
				if asks != tt.asks || c.Gaps() != tt.gaps {
					t.Errorf("%d asks, %d gaps left; want %d, %d", asks, c.Gaps(), tt.asks, tt.gaps)
				}
			})
		})
	}
}

// adminPlane is a node's admin plane that says what the test wants.
func adminPlane(t *testing.T, say func(asked uint64, s *api.Snapshot) (ok bool)) string {
	t.Helper()
	var asked atomic.Uint64
	began := time.Now()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := api.Snapshot{Name: "n" + r.Host, PID: 7, Uptime: int64(time.Since(began)), Promise: "nothing lost"}
		if !say(asked.Add(1), &s) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(s)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// checkAgain proves a run that load recorded, and holds it against what load said of the numbers.
func checkAgain(t *testing.T, r *history.Result) {
	t.Helper()
	c := checkRun(r.RunDir)
	if c.err != nil {
		t.Fatal(c.err)
	}
	a, b := r.Proof, *c.Proof
	if (c.Verdict == history.Violated) != (r.Verdict == history.Violated) || !slices.Equal(a.Remarks, b.Remarks) || len(a.Findings) != len(b.Findings) {
		t.Errorf("check says %s with %d findings, remarks %q; load %s with %d, remarks %q", c.Verdict, len(b.Findings), b.Remarks, r.Verdict, len(a.Findings), a.Remarks)
	}
	if a.Ops != b.Ops || a.Gaps != b.Gaps || a.Burned != b.Burned || a.Declared != b.Declared || a.Duplicates != b.Duplicates || a.WentBack != b.WentBack {
		t.Errorf("check counts %+v; load %+v", b, a)
	}
}

// TestCheckAgreesWithLoad comes offline, from the run directory alone, to what load said of servers that skip numbers.
func TestCheckAgreesWithLoad(t *testing.T) {
	for _, name := range []string{"jumps", "jumps-in-silence", "jumps-further", "declares-everything"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _, stderr := driveTarget(t, targettest.Start(t, targettest.Named(name)))
			if r == nil {
				t.Fatal(stderr)
			}
			checkAgain(t, r)
			run, err := history.ReadRun(r.RunDir)
			if err != nil {
				t.Fatal(err)
			}
			if declared := len(run.Declared) > 0; declared != (name != "jumps-in-silence") || len(run.Environment.Targets) != 1 {
				t.Errorf("run.json: declared %v, targets %+v", run.Declared, run.Environment.Targets)
			}
		})
	}
}

// Without --admin nobody can declare anything.
func TestJumpWithoutAdminIsAGap(t *testing.T) {
	b := targettest.Named("jumps")
	r, code, stderr := loadJSON(t.Context(), t, "--target", targettest.Start(t, b).URL(), "--rate", "1000", "--duration", "1s", "--warmup", "0s", "--slo", "p99<4s")
	if r == nil || code != exitViolated || r.Proof.Gaps != b.Margin || r.Proof.Declared != 0 {
		t.Fatalf("exit %d, %+v: %s", code, r, stderr)
	}
	checkAgain(t, r)
}

// A jump that nobody declares ends the run, though somebody could have.
func TestSilentJumpEndsTheRun(t *testing.T) {
	srv := targettest.Start(t, targettest.Named("jumps-in-silence"))
	r, code, stderr := loadJSON(t.Context(), t, append(srv.Args(), "--rate", "500", "--duration", "60s", "--warmup", "0s", "--slo", "p99<4s")...)
	if r == nil || code != exitViolated || r.Proof.Gaps != srv.Margin {
		t.Fatalf("exit %d, %+v: %s", code, r, stderr)
	}
	if last := r.Steps[len(r.Steps)-1]; last.Limit != history.InvariantViolated || last.Elapsed > 30*time.Second {
		t.Errorf("the last step ended by %q after %s; want it ended early, by the gap", last.Limit, last.Elapsed)
	}
}

// ^C does not keep the nodes from a last word.
func TestInterruptedRunHearsTheNodes(t *testing.T) {
	srv := targettest.Start(t, targettest.Named("plain"))
	ctx, interrupt := context.WithCancel(t.Context())
	admin := adminPlane(t, func(n uint64, s *api.Snapshot) bool {
		s.Ledger = api.Ledger{Issued: 1e6 * n, Delivered: 1e6 * n}
		return true
	})
	go func() {
		for srv.Arrivals() < 200 {
			time.Sleep(time.Millisecond)
		}
		interrupt()
	}()
	r, code, stderr := loadJSON(ctx, t, "--target", srv.URL(), "--rate", "500", "--duration", "60s", "--warmup", "0s", "--admin", admin)
	if r == nil || code != exitInterrupted || len(r.Remarks) > 0 {
		t.Fatalf("exit %d, %+v; want no remark: the node was asked at the end: %s", code, r, stderr)
	}
}

// TestNodesThatFail has a right server of which --admin names several nodes, some of which fail during the run.
func TestNodesThatFail(t *testing.T) {
	plenty := func(s *api.Snapshot) bool {
		s.Ledger = api.Ledger{Issued: 1e9 + 3, Delivered: 1e9, Burned: map[string]uint64{api.BurnedLate: 2}, InFlight: 1}
		return true
	}
	tests := []struct {
		name   string
		say    func(asked uint64, s *api.Snapshot) bool
		remark string // "" = none
		ledger bool   // the run has what the node's books gained
	}{
		{"right", func(n uint64, s *api.Snapshot) bool {
			if n > 1 {
				plenty(s)
			}
			return true
		}, "", true},
		{"gone at the end", func(n uint64, s *api.Snapshot) bool { return n == 1 && plenty(s) },
			"did not answer at the end of the run (ask admin", false},
		{"restarted", func(n uint64, s *api.Snapshot) bool { s.PID += int(n); return plenty(s) }, "was restarted during the run", false},
		{"restarted with the same process number", func(n uint64, s *api.Snapshot) bool { s.Uptime = int64(4 - n); return plenty(s) }, "was restarted during the run", false},
		{"books that go back", func(n uint64, s *api.Snapshot) bool {
			plenty(s)
			s.Ledger.Issued -= n
			s.Ledger.Delivered -= n
			return true
		},
			"went back during the run: they are not compared", false},
		{"books that do not add up", func(n uint64, s *api.Snapshot) bool {
			plenty(s)
			s.Ledger.Issued += n - 1
			s.Ledger.Delivered += 2*n - 2
			return true
		},
			"do not add up: ", true},
		{"books that miss requests", func(_ uint64, s *api.Snapshot) bool { return plenty(s) },
			"the nodes' books contradict the client: they delivered 0 numbers during the run, but ", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := targettest.Start(t, targettest.Named("plain"))
			other := adminPlane(t, func(_ uint64, s *api.Snapshot) bool { return plenty(s) })
			r, code, stderr := loadJSON(t.Context(), t, "--target", srv.URL(), "--rate", "2000", "--duration", "1s", "--warmup", "0s", "--connections", "8",
				"--slo", "p99<4s,errors<0.1%", "--admin", other+","+adminPlane(t, tt.say))
			if r == nil {
				t.Fatal(stderr)
			}
			if r.Verdict == history.Violated || r.StorePromise != "nothing lost" {
				t.Errorf("exit %d, promise %q: %s", code, r.StorePromise, r.Sentence)
			}
			if said := strings.Join(r.Remarks, "\n"); tt.remark == "" && said != "" || !strings.Contains(said, tt.remark) {
				t.Errorf("remarks %q; want %q", said, tt.remark)
			}
			run, err := history.ReadRun(r.RunDir)
			if err != nil {
				t.Fatal(err)
			}
			if got := run.Environment.Targets; len(got) != 2 || (got[1].Ledger != nil) != tt.ledger || !slices.Equal(run.Remarks, r.Remarks) {
				t.Errorf("run.json: targets %+v, remarks %q; want a ledger of the second: %v", got, run.Remarks, tt.ledger)
			}
		})
	}
}

// A node that dies after it has declared its jump is not forgotten: it was asked when the gap came up.
func TestNodeThatDeclaresAndDies(t *testing.T) {
	b := targettest.Named("jumps")
	srv := targettest.Start(t, b)
	answers := uint64(0)
	admin := adminPlane(t, func(n uint64, s *api.Snapshot) bool {
		taken := srv.Arrivals()
		if taken <= b.After {
			return true
		}
		if answers++; answers > 1 {
			return false
		}
		s.Declared = []api.Range{{ID: "a", First: b.After + 1, Last: b.After + b.Margin}}
		return true
	})
	r, code, stderr := loadJSON(t.Context(), t, "--target", srv.URL(), "--id", "a", "--rate", "1000", "--duration", "2s", "--warmup", "0s", "--slo", "p99<4s",
		"--admin", admin)
	if r == nil || code == exitViolated || r.Proof.Declared != b.Margin || !strings.Contains(strings.Join(r.Remarks, "\n"), "did not answer at the end") {
		t.Fatalf("exit %d, %+v: %s", code, r, stderr)
	}
	if !strings.Contains(r.Sentence, ", 1,000,000 numbers declared skipped by the server (rollback)") {
		t.Errorf("the sentence does not tell: %s", r.Sentence)
	}
	checkAgain(t, r)
	events, err := os.ReadFile(filepath.Join(r.RunDir, history.JournalFile))
	if err != nil || strings.Count(string(events), string(journal.RangeDeclared)) != 1 {
		t.Errorf("the journal tells of other than one declared range (%v):\n%s", err, events)
	}
}
