package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/loadgen"
	"github.com/turnomatico/tmctl/loadgen/targettest"
)

// newTestEnv is a process without a terminal, whose output ends in buffers.
func newTestEnv(args ...string) (env *Env, out, err *bytes.Buffer) {
	out, err = &bytes.Buffer{}, &bytes.Buffer{}
	return &Env{In: strings.NewReader(""), Out: out, Err: err, Getenv: func(string) string { return "" }, Now: time.Now,
		Args: append([]string{"tmctl"}, args...), Width: 80}, out, err
}

// loadJSON runs `tmctl load --json` and reads what it printed; nil when it printed nothing.
func loadJSON(ctx context.Context, t testing.TB, args ...string) (*history.Result, int, string) {
	t.Helper()
	args = append([]string{"load", "--json", "--out", t.TempDir() + "/run"}, args...)
	env, out, stderr := newTestEnv(args...)
	code := run(ctx, env, args)
	if out.Len() == 0 {
		return nil, code, stderr.String()
	}
	var r history.Result
	if err := json.NewDecoder(out).Decode(&r); err != nil {
		t.Fatalf("tmctl %s printed no JSON: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return &r, code, stderr.String()
}

// TestLoadJudgesTargets drives every odd, dying and broken server of targettest at a fixed rate, and holds what load says
// of it against what a right load tester says.
func TestLoadJudgesTargets(t *testing.T) {
	for _, b := range targettest.Behaviours {
		if !inAMillion(b) {
			t.Run(b.Name, func(t *testing.T) {
				t.Parallel()
				judgeTarget(t, b)
			})
		}
	}
}

// TestLoadConvictsOneInAMillion does the same for servers that are wrong once in a million numbers.
func TestLoadConvictsOneInAMillion(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("a million requests take a minute on two cores")
	}
	for _, b := range targettest.Behaviours {
		if inAMillion(b) {
			t.Run(b.Name, func(t *testing.T) { judgeTarget(t, b) })
		}
	}
}

func inAMillion(b targettest.Behaviour) bool { return strings.HasSuffix(b.Name, "-in-a-million") }

// judgeTarget drives one server as its Want assumes. A run that this machine was too busy for is made once more: what is
// tested is the judgement, not the speed. A wrong proof is never forgiven.
func judgeTarget(t *testing.T, b targettest.Behaviour) {
	srv := targettest.Start(t, b)
	r, code, stderr := driveTarget(t, srv)
	if r != nil && b.Want.Verdict == history.Pass && len(r.Proof.Findings) == 0 && r.Verdict != history.Pass {
		t.Log("once more, after: " + r.Sentence)
		srv = targettest.Start(t, b)
		r, code, stderr = driveTarget(t, srv)
	}
	if b.Want.Verdict == "" {
		if code != exitFailed || r != nil || !strings.Contains(stderr, "hint: ") {
			t.Errorf("load = exit %d, %s; want exit 1 with a hint before any load is sent", code, stderr)
		}
		return
	}
	if r == nil {
		t.Fatalf("load printed no result, exit %d: %s", code, stderr)
	}
	if srv.Arrivals() > r.Requests {
		t.Errorf("%d requests arrived, %d were sent: something repeats them", srv.Arrivals(), r.Requests)
	}
	if srv.Elsewhere() > 0 {
		t.Errorf("a redirect was followed %d times", srv.Elsewhere())
	}
	judged(t, b.Want, r, code)
	if t.Failed() {
		t.Log(r.Sentence)
		t.Log(stderr)
	}
}

func driveTarget(t *testing.T, srv *targettest.Server) (*history.Result, int, string) {
	args := append([]string{"--target", srv.URL(), "--rate", "1000", "--duration", "2s", "--warmup", "0s",
		"--connections", "16", "--slo", "p99<4s,errors<0.1%"}, srv.Args()...)
	return loadJSON(t.Context(), t, args...)
}

// judged compares a result with what the behaviour wants said of it.
func judged(t *testing.T, want targettest.Want, r *history.Result, code int) {
	t.Helper()
	if r.Verdict != want.Verdict || code != r.ExitCode {
		t.Errorf("verdict %s, exit %d (%d in the JSON); want %s", r.Verdict, code, r.ExitCode, want.Verdict)
	}
	has := func(f history.Finding) bool { return f.Kind == want.Finding }
	switch {
	case want.Finding == "" && len(r.Proof.Findings) > 0:
		t.Errorf("found %s; want nothing", r.Proof.Findings[0].Text)
	case want.Finding != "" && !slices.ContainsFunc(r.Proof.Findings, has):
		t.Errorf("found %d things, none a %s", len(r.Proof.Findings), want.Finding)
	}
	if r.Verdict == history.Pass && want.Burned != (r.Proof.Burned > 0) {
		t.Errorf("%d numbers burned; want some: %v", r.Proof.Burned, want.Burned)
	}
	if r.Verdict == history.Pass && want.Skipped != r.Proof.Declared {
		t.Errorf("%d missing numbers are declared; want %d", r.Proof.Declared, want.Skipped)
	}
	for _, f := range r.Proof.Findings {
		if f.Kind != history.Gap && f.Op == nil || f.Kind == history.Duplicate && f.Other == nil {
			t.Errorf("a request is not named: %s", f.Text)
		}
	}
	if last := r.Steps[len(r.Steps)-1]; want.Limit != "" && last.Limit != want.Limit {
		t.Errorf("the last step failed by %q (%s); want %q", last.Limit, last.Why, want.Limit)
	}
	if said := strings.Join(r.Remarks, "\n"); !strings.Contains(said, want.Remark) || want.Remark == "" && strings.Contains(said, "books") {
		t.Errorf("remarks %q; want %q in them", r.Remarks, want.Remark)
	}
	reasons(t, want.Reason, r)
}

func reasons(t *testing.T, want history.Reason, r *history.Result) {
	t.Helper()
	switch want {
	case history.NoReason:
		if r.Verdict == history.Pass && len(r.ErrorReasons) > 0 {
			t.Errorf("errors %v; want none", r.ErrorReasons)
		}
	case history.Remarked:
		if len(r.Remarks) == 0 {
			t.Error("no remark about how the numbers are written")
		}
	default:
		for name := range r.ErrorReasons {
			if strings.HasPrefix(name, want.String()) {
				return
			}
		}
		t.Errorf("errors %v; want some by %s", r.ErrorReasons, want)
	}
}

// TestTargetsDocIsCurrent holds docs/TARGETS.md, what load says of other people's servers, against the list that
// TestLoadJudgesTargets drives.
func TestTargetsDocIsCurrent(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# What load says of other people's servers

Each of these runs as a real server in the tests (loadgen/targettest), and TestLoadJudgesTargets holds load to this table.
Written by ` + "`go test ./cmd -run TargetsDoc -update`" + `.

If yours shall pass ` + "`load --idempotency-key-ratio`" + `, then for each id and ` + "`Idempotency-Key`" + ` (here 32 hex digits, on GET or POST):

- the first request with it takes the next number, and every later one is answered with that number, from whichever node and also when two of
  them are under way together: claiming the key and taking the number are one step;
- the answers after the first say ` + "`Idempotent-Replayed: true`" + `, and the first does not;
- the number stays the key's when its answer is lost. Who can't take the key says so with an error and ` + "`X-Turno-Consumed: no`" + `;
- the same key of another id is another key.

| server | what it does | what load says |
|---|---|---|
`)
	for _, x := range targettest.Behaviours {
		says := strings.ReplaceAll(x.Want.String(), "_", " ")
		if x.Want.Reason != history.NoReason {
			says += " (" + x.Want.Reason.String() + ")"
		}
		if x.Want.Remark != "" {
			says += ", with a remark"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", x.Name, strings.ReplaceAll(x.Doc, "|", "\\|"), says)
	}
	const path = "../docs/TARGETS.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != b.String() {
		t.Errorf("%s is stale (%v); run go test ./cmd -run TargetsDoc -update", path, err)
	}
}

// TestLoadFindsCapacity searches a server of known capacity: the answer is within 5 %.
func TestLoadFindsCapacity(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("searches for a minute")
	}
	srv := targettest.Start(t, targettest.Named("capacity"))
	want := targettest.Named("capacity").Rate
	r, code, stderr := loadJSON(t.Context(), t, "--target", srv.URL(), "--budget", "60s", "--step", "2s", "--warmup", "0s", "--slo", "p99<100ms,errors<0.1%")
	if r == nil || r.MaxRate == nil {
		t.Fatalf("no answer, exit %d: %s", code, stderr)
	}
	if got := r.MaxRate.Pass; got < 0.95*want || got > 1.05*want || code != exitPass {
		t.Errorf("found %.0f/s, exit %d; want %.0f/s within 5 %%\n%s%s", got, code, want, r.Sentence, stderr)
	}
}

// TestEnginesAgree drives one server with both engines: they see the same counts and the same latency.
func TestEnginesAgree(t *testing.T) {
	srv := targettest.Start(t, targettest.Named("slow"))
	var p50 [2]time.Duration
	for i, engine := range loadgen.Engines {
		r, code, stderr := loadJSON(t.Context(), t, "--target", srv.URL(), "--engine", engine, "--rate", "400", "--duration", "2s",
			"--warmup", "0s", "--slo", "p99<4s,errors<0.1%")
		if r == nil || code != exitPass {
			t.Fatalf("%s: exit %d: %s", engine, code, stderr)
		}
		if r.Requests != 800 || r.Proof.Ops != 800 || r.Proof.Linearizable == nil || !*r.Proof.Linearizable || r.Generator.Engine != engine {
			t.Errorf("%s: %d requests, proof %+v; want 800, proved", engine, r.Requests, r.Proof)
		}
		p50[i] = r.Steps[0].Service.P50
	}
	if ratio := float64(p50[0]) / float64(p50[1]); ratio < 0.8 || ratio > 1.25 {
		t.Errorf("p50 is %s by %s and %s by %s; want them within a quarter of each other", p50[0], loadgen.Engines[0], p50[1], loadgen.Engines[1])
	}
}
