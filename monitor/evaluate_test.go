package monitor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/server/api"
)

var t0 = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// seen is an observation of one node: . up, x down, 0 up after a restart.
func seen(second int, as byte) monitor.Observation {
	n := monitor.Node{Instance: "n1:7018", Reach: monitor.Up, Snapshot: api.Snapshot{State: "ready", IDs: 1, MaxIDs: 2}}
	if as == 'x' {
		n = monitor.Node{Instance: "n1:7018", Reach: monitor.Down, Says: "connection refused"}
	}
	return monitor.Observation{At: t0.Add(time.Duration(second) * time.Second), Nodes: []monitor.Node{n}}
}

// An alert is pending until it has been true for as long as it must, without a break; somebody is told once, and told that
// it is over only if they were.
func TestStates(t *testing.T) {
	tests := []struct{ name, life, want string }{ // an observation every 10 s; TurnoNodeDown is For 30 s
		{"up", "......", ""},
		{"down for good", "..xxxxxx", "20s pending, 50s firing"},
		{"down and back", "..xxxxx..", "20s pending, 50s firing, 70s resolved"},
		{"down for a moment", "..xx...", "20s pending, 40s calm"},
		{"on and off", ".xx.xx.xx.", "10s pending, 30s calm, 40s pending, 60s calm, 70s pending, 90s calm"},
		{"twice", "xxxx.xxxx.", "0s pending, 30s firing, 40s resolved, 50s pending, 80s firing, 90s resolved"},
	}
	for _, tt := range tests {
		e := monitor.NewEvaluator(monitor.Alerts(monitor.DefaultConfig()))
		var got []string
		for i := range len(tt.life) {
			for _, s := range e.Add(seen(10*i, tt.life[i])) {
				if s.Name == "TurnoNodeDown" {
					got = append(got, fmt.Sprintf("%.0fs %s", s.At.Sub(t0).Seconds(), s.State))
				}
			}
		}
		if got := strings.Join(got, ", "); got != tt.want {
			t.Errorf("%s: %s = %q; want %q", tt.name, tt.life, got, tt.want)
		}
	}
}

func TestStatusOfANodeThatIsDown(t *testing.T) {
	e := monitor.NewEvaluator(monitor.Alerts(monitor.DefaultConfig()))
	for i := range 5 {
		e.Add(seen(10*i, 'x'))
	}
	active := e.Active()
	if len(active) != 1 {
		t.Fatalf("%d are active; want TurnoNodeDown alone", len(active))
	}
	s := active[0]
	if want := "n1:7018 does not answer on its admin plane (connection refused)"; s.Line() != want {
		t.Errorf("Line() = %q; want %q", s.Line(), want)
	}
	if s.State != monitor.Firing || !s.Since.Equal(t0) || !s.Fired.Equal(t0.Add(30*time.Second)) || s.Took() != 40*time.Second {
		t.Errorf("%s since %s, fired %s, for %s; want firing since %s, 30 s later, for 40 s", s.State, s.Since, s.Fired, s.Took(), t0)
	}
}

// Windows in a drill are as many times shorter as it says, and so are waits.
func TestCompressed(t *testing.T) {
	c := monitor.DefaultConfig()
	c.Compress = 60
	for _, a := range monitor.Alerts(c) {
		if a.Name == "TurnoNodeDown" && a.For != 500*time.Millisecond {
			t.Errorf("%s is for %s; want 500ms", a.Name, a.For)
		}
		if a.Name == "TurnoErrorBurn" && !strings.HasPrefix(a.When.String(), "((job:turno_errors:ratio_1m > 0.0144) and ((job:turno_errors:ratio_5s > 0.0144)") {
			t.Errorf("%s is %s; want windows of 1m and 5s", a.Name, a.When)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*monitor.Config)
		want   string
	}{
		{"the defaults", func(*monitor.Config) {}, ""},
		{"no objective", func(c *monitor.Config) { c.Objective = 1 }, "objective 1: want a share"},
		{"a share of nothing", func(c *monitor.Config) { c.CPU = 0 }, "max-cpu 0: want"},
		{"a bound that nobody counts at", func(c *monitor.Config) { c.Latency = 49 * time.Millisecond }, "latency 49ms: nodes count at 50µs, "},
		{"another", func(c *monitor.Config) { c.StoreLatency = time.Hour }, "store-latency 1h0m0s: nodes count at"},
		{"time that is drawn out", func(c *monitor.Config) { c.Compress = 0.5 }, "compress 0.5: want 1 to 300"},
		{"an empty promise", func(c *monitor.Config) { c.Promises = []string{""} }, "expect-promise"},
	}
	for _, tt := range tests {
		c := monitor.DefaultConfig()
		tt.change(&c)
		said := ""
		if err := c.Validate(); err != nil {
			said = err.Error()
		}
		if tt.want == "" && said != "" || !strings.Contains(said, tt.want) {
			t.Errorf("Validate(%s) = %q; want %q", tt.name, said, tt.want)
		}
	}
}
