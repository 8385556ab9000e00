package monitor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// A real server's /metrics has every metric that alerts are made of, with the value that its snapshot gives; and it has no
// label of these that alerts don't know.
func TestMetricsAreTheServers(t *testing.T) {
	s := serve(t)
	for _, path := range []string{"/turno/a", "/turno/a", "/turno/b", "/turno/%20", "/elsewhere"} {
		get(t, "http://"+s.Addr()+path)
	}
	scraper, err := NewScraper([]string{s.AdminAddr()}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer scraper.Close()
	var n Node
	for n = range settled(t, scraper) {
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(get(t, "http://"+s.AdminAddr()+"/metrics")))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range metrics {
		known[m.name+m.value] = true
		got, has := valueOf(families, m)
		want := m.of(&n.Snapshot)
		if m.name == "process_cpu_seconds_total" && want <= got { // time goes on
			continue
		}
		if !has || got != want {
			t.Errorf("%s{%s=%q} = %v, %v; the snapshot has %v", m.name, m.label, m.value, got, has, want)
		}
	}
	for _, m := range metrics {
		for _, has := range families[m.name].GetMetric() {
			for _, l := range has.GetLabel() {
				if !known[m.name+l.GetValue()] {
					t.Errorf("alerts don't know %s{%s=%q}", m.name, l.GetName(), l.GetValue())
				}
			}
		}
	}
	if families["turno_store_info"].GetMetric()[0].GetLabel()[0].GetValue() != n.Promise {
		t.Errorf("turno_store_info = %v; want the promise %q", families["turno_store_info"], n.Promise)
	}
}

// settled asks until the three numbers are delivered and no connection is open: what moves can't be compared.
func settled(t *testing.T, s *Scraper) func(func(Node) bool) {
	return func(yield func(Node) bool) {
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			n := s.Observe(t.Context(), time.Now()).Nodes[0]
			if n.Ledger.Delivered == 3 && n.Connections == 0 {
				yield(n)
				return
			}
		}
		t.Fatal("the server does not come to rest")
	}
}

func serve(t *testing.T) *server.Server {
	t.Helper()
	config := server.DefaultConfig()
	config.Addr, config.Admin, config.Drain = "127.0.0.1:0", "127.0.0.1:0", 0
	s, err := server.Listen(t.Context(), config, memory.New(server.DefaultBounds()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// valueOf is what /metrics says of m.
func valueOf(families map[string]*dto.MetricFamily, m metric) (value float64, has bool) {
	if name, is := strings.CutSuffix(m.name, "_count"); is {
		h := families[name].GetMetric()
		return float64(h[0].GetHistogram().GetSampleCount()), true
	}
	if name, is := strings.CutSuffix(m.name, "_bucket"); is {
		for _, b := range families[name].GetMetric()[0].GetHistogram().GetBucket() {
			if fmt.Sprint(b.GetUpperBound()) == m.value {
				return float64(b.GetCumulativeCount()), true
			}
		}
		return 0, false
	}
	for _, one := range families[m.name].GetMetric() {
		if m.label == "" || one.GetLabel()[0].GetName() == m.label && one.GetLabel()[0].GetValue() == m.value {
			return one.GetCounter().GetValue() + one.GetGauge().GetValue(), true
		}
	}
	return 0, false
}
