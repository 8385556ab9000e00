package loadgen

import (
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
)

func TestParseRate(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want float64 // 0 = refused
	}{
		{"500", 500}, {"50k", 50_000}, {"1.5m", 1_500_000}, {"100/s", 100}, {"9000/1m", 150}, {"2k/100ms", 20_000},
		{"0.5/s", 0.5}, {"", 0}, {"fast", 0}, {"0", 0}, {"-5", 0}, {"5/", 0}, {"5/x", 0}, {"5/-1s", 0}, {"inf", 0}, {"nan", 0}, {"1e12", 0},
	} {
		got, err := ParseRate(tt.in)
		if (err == nil) != (tt.want > 0) || got != tt.want && tt.want > 0 {
			t.Errorf("ParseRate(%q) = %v, %v; want %v", tt.in, got, err, tt.want)
		}
	}
}

func TestParseSLO(t *testing.T) {
	for _, tt := range []struct {
		in      string
		latency string // name<max of each bound
		errors  float64
		err     string // part of the error; "" = none
	}{
		{"p99<50ms,errors<0.1%", "p99<50ms", 0.001, ""},
		{"p50<1ms, p99.9 < 20ms , max<=1s", "p50<1ms p99.9<20ms max<1s", 1, ""},
		{"errors<0.01", "", 0.01, ""},
		{"p99<50ms,p999", "", 0, `at character 10: "p999" has no <`},
		{"p99<fast", "", 0, `at character 1: "fast" is not a duration`},
		{"q99<5ms", "", 0, `"q99" is not a percentile`},
		{"p100<5ms", "", 0, `"p100" is not a percentile`},
		{"errors<200%", "", 0, `"200%" is not a share`},
		{"", "", 0, "has no <"},
		{"p99<-5ms", "", 0, "not a duration"},
	} {
		slo, err := ParseSLO(tt.in)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("ParseSLO(%q): error %v; want …%s…", tt.in, err, tt.err)
			}
			continue
		}
		var bounds []string
		for _, b := range slo.Latency {
			bounds = append(bounds, b.Name+"<"+b.Max.String())
		}
		if got := strings.Join(bounds, " "); err != nil || got != tt.latency || slo.Errors != tt.errors {
			t.Errorf("ParseSLO(%q) = %q errors %v, %v; want %q %v", tt.in, got, slo.Errors, err, tt.latency, tt.errors)
		}
	}
}

func TestSamples(t *testing.T) {
	for _, tt := range []struct {
		slo  string
		want uint64
	}{{"p99<1s", 100}, {"p99.9<1s", 1000}, {"p50<1s", 10}, {"errors<1%", 10}, {"max<1s", 10}} {
		slo, err := ParseSLO(tt.slo)
		if got := slo.Samples(); err != nil || got != tt.want {
			t.Errorf("Samples(%q) = %d, %v; want %d", tt.slo, got, err, tt.want)
		}
	}
}

func TestParseTurno(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want uint64
		why  history.Reason
	}{
		{"42", 42, history.NoReason},
		{"9007199254740991", 1<<53 - 1, history.NoReason},
		{"9007199254740992", 0, history.OutOfRange},
		{"9007199254740993", 0, history.OutOfRange}, // as a float64 it would read as …992
		{"18446744073709551616", 0, history.OutOfRange},
		{"0", 0, history.OutOfRange},
		{"0.0", 0, history.OutOfRange},
		{"-1", 0, history.OutOfRange},
		{"42.0", 42, history.Remarked},
		{"4.2e1", 42, history.Remarked},
		{"4200E-2", 42, history.Remarked},
		{"0.042e+3", 42, history.Remarked},
		{"9.007199254740991e15", 1<<53 - 1, history.Remarked},
		{"9007199254740991.5", 0, history.Fraction},
		{"42.5", 0, history.Fraction},
		{"1e-1", 0, history.Fraction},
		{"1e400", 0, history.OutOfRange},
		{"1e999999999999999999999", 0, history.OutOfRange},
		{"1e-999999999999999999999", 0, history.Fraction},
		{"-42.5", 0, history.Fraction},
	} {
		if got, why := parseTurno(tt.in); got != tt.want || why != tt.why {
			t.Errorf("parseTurno(%s) = %d, %s; want %d, %s", tt.in, got, why, tt.want, tt.why)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, field, idField, body string
		want                       uint64
		why                        history.Reason
	}{
		{"the contract", "turno", "id", `{"id":"a","turno":42}`, 42, history.NoReason},
		{"other order, spaces, more fields", "turno", "id", "\n{ \"turno\" : 42 , \"x\":{\"turno\":7}, \"id\":\"a\" }\n", 42, history.NoReason},
		{"escaped key", "turno", "id", `{"id":"a","\u0074urno":42}`, 42, history.NoReason},
		{"escaped id", "turno", "id", `{"id":"\u0061","turno":42}`, 42, history.NoReason},
		{"other names", "n", "queue", `{"queue":"a","n":42}`, 42, history.NoReason},
		{"nested", "data.turno", "data.id", `{"data":{"id":"a","turno":42}}`, 42, history.NoReason},
		{"no id asked for", "turno", "", `{"turno":42}`, 42, history.NoReason},
		{"nested in no object", "data.turno", "", `{"data":[42]}`, 0, history.NoTurno},
		{"another id", "turno", "id", `{"id":"b","turno":42}`, 0, history.WrongID},
		{"no id", "turno", "id", `{"turno":42}`, 0, history.WrongID},
		{"id is a number", "turno", "id", `{"id":1,"turno":42}`, 0, history.WrongID},
		{"string", "turno", "id", `{"id":"a","turno":"42"}`, 0, history.NotNumber},
		{"null", "turno", "id", `{"id":"a","turno":null}`, 0, history.NotNumber},
		{"true", "turno", "id", `{"id":"a","turno":true}`, 0, history.NotNumber},
		{"leading zero", "turno", "id", `{"id":"a","turno":042}`, 0, history.NotJSON},
		{"zero", "turno", "id", `{"id":"a","turno":0}`, 0, history.OutOfRange},
		{"2^53", "turno", "id", `{"id":"a","turno":9007199254740992}`, 0, history.OutOfRange},
		{"fraction", "turno", "id", `{"id":"a","turno":42.5}`, 0, history.Fraction},
		{"missing", "turno", "id", `{"id":"a"}`, 0, history.NoTurno},
		{"HTML", "turno", "id", `<html>42</html>`, 0, history.NotJSON},
		{"empty", "turno", "id", ``, 0, history.NotJSON},
		{"null body", "turno", "id", `null`, 0, history.NotJSON},
		{"two objects", "turno", "id", `{"id":"a","turno":42}{"id":"a","turno":43}`, 0, history.NotJSON},
		{"cut off", "turno", "id", `{"id":"a","turno":4`, 0, history.NotJSON},
	} {
		got, why := newAnswerReader(tt.field, tt.idField).read([]byte(tt.body), "a")
		if got != tt.want || why != tt.why {
			t.Errorf("%s: read(%s) = %d, %s; want %d, %s", tt.name, tt.body, got, why, tt.want, tt.why)
		}
	}
}

// FuzzReadAnswer holds the fast reader against the one that knows JSON: where it answers, both answer the same.
func FuzzReadAnswer(f *testing.F) {
	for _, s := range []string{`{"id":"a","turno":42}`, `{"id":"a","turno":042}`, `{"id":"a","turno":9007199254740991}`,
		`{"id":"a","turno":9007199254740992}`, `{"id":"a","turno":0}`, `{"id":"a","turno":}`, `{"id":"a","turno":1} `} {
		f.Add([]byte(s), "a")
	}
	r := newAnswerReader(DefaultField, DefaultIDField)
	f.Fuzz(func(t *testing.T, body []byte, id string) {
		if v, ok := readUsual(body, id); ok {
			if id == "" || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
				return // not an id: Prepare refuses it
			}
			if slow, why := r.readAny(body, id); slow != v || why != history.NoReason {
				t.Errorf("readUsual(%q) = %d; readAny = %d, %s", body, v, slow, why)
			}
		}
	})
}

func TestParseTarget(t *testing.T) {
	for _, tt := range []struct {
		in, url, host, id string // url "" = refused
	}{
		{"localhost:7017", "http://localhost:7017/turno/{id}", "localhost:7017", ""},
		{"http://localhost", "http://localhost/turno/{id}", "localhost:80", ""},
		{"https://h/", "https://h/turno/{id}", "h:443", ""},
		{"http://h/turno/{id}", "http://h/turno/{id}", "h:80", ""},
		{"http://h/turno/grupo3", "http://h/turno/{id}", "h:80", "grupo3"},
		{"http://h/next?queue={id}&x=1", "http://h/next?queue={id}&x=1", "h:80", ""},
		{"http://[::1]:7017", "http://[::1]:7017/turno/{id}", "[::1]:7017", ""},
		{"http://h/a%20b/{id}", "http://h/a%20b/{id}", "h:80", ""},
		{"ftp://h/", "", "", ""}, {"http://", "", "", ""}, {"", "", "", ""}, {"http://h/a/", "", "", ""},
		{"http://u:p@h/", "", "", ""}, {"http://h/bad id", "", "", ""},
	} {
		target, id, err := ParseTarget(tt.in)
		if tt.url == "" {
			if err == nil {
				t.Errorf("ParseTarget(%q) = %s; want an error", tt.in, target)
			} else if strings.Contains(err.Error(), ":p@") {
				t.Errorf("ParseTarget(%q): the error shows the password: %v", tt.in, err)
			}
			continue
		}
		if err != nil || target.String() != tt.url || target.Host() != tt.host || id != tt.id {
			t.Errorf("ParseTarget(%q) = %s, %s, id %q, %v; want %s, %s, %q", tt.in, target, target.Host(), id, err, tt.url, tt.host, tt.id)
		}
	}
}

func TestRequestBytes(t *testing.T) {
	for _, tt := range []struct {
		name, target, method string
		headers              []string
		want                 string
	}{
		{"GET", "http://h:1/turno/{id}", "GET", nil, "GET /turno/a HTTP/1.1\r\nUser-Agent: tmctl\r\nHost: h:1\r\n\r\n"},
		{"POST", "http://h/x?q={id}", "POST", []string{"X-Key:  v "}, "POST /x?q=a HTTP/1.1\r\nUser-Agent: tmctl\r\nHost: h\r\nContent-Length: 0\r\nX-Key: v\r\n\r\n"},
		{"own host", "http://h/{id}", "GET", []string{"Host: other"}, "GET /a HTTP/1.1\r\nUser-Agent: tmctl\r\nHost: other\r\n\r\n"},
	} {
		target, _, err := ParseTarget(tt.target)
		if err != nil {
			t.Fatal(err)
		}
		got, err := target.request(tt.method, "a", tt.headers)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: request = %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	target, _, _ := ParseTarget("http://h/{id}")
	for _, h := range []string{"no colon", ": empty", "X: a\r\nY: b", "X Y: z"} {
		if b, err := target.request("GET", "a", []string{h}); err == nil {
			t.Errorf("request with header %q = %q; want an error", h, b)
		}
	}
}

func TestSchedule(t *testing.T) {
	s := newSchedule(1000, time.Second, Uniform, 1)
	for want := range uint64(1000) {
		n, due, ok := s.claim(0)
		if !ok || n != want || due != time.Duration(want)*time.Millisecond {
			t.Fatalf("claim = %d, %s, %v; want %d, %dms", n, due, ok, want, want)
		}
	}
	if _, due, ok := s.claim(0); ok {
		t.Errorf("claim past the end = %s; want none", due)
	}
	if got := s.dueBy(time.Second); got != 1000 {
		t.Errorf("dueBy(1s) = %d; want 1000", got)
	}
	late := newSchedule(1000, time.Second, Uniform, 1)
	if _, _, ok := late.claim(time.Second); ok {
		t.Error("a hit was claimed after the step's end")
	}
}

func TestPoissonArrivalsKeepTheRate(t *testing.T) {
	s := newSchedule(10_000, 10*time.Second, Poisson, 7)
	var n int
	var gaps, squares float64
	last := time.Duration(0)
	for {
		_, due, ok := s.claim(0)
		if !ok {
			break
		}
		g := (due - last).Seconds() * 10_000
		gaps, squares, last, n = gaps+g, squares+g*g, due, n+1
	}
	mean := gaps / float64(n)
	variance := squares/float64(n) - mean*mean
	if mean < 0.98 || mean > 1.02 || variance < 0.94 || variance > 1.06 { // exponential: both are 1
		t.Errorf("gaps have mean %.3f and variance %.3f; want 1 and 1", mean, variance)
	}
}

func TestGaugeBlames(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name         string
		do           func(*gauge)
		due, now     time.Duration
		target, ours time.Duration
	}{
		{"all busy since before it was due", func(g *gauge) { g.work(1 * ms); g.work(2 * ms) }, 5 * ms, 9 * ms, 4 * ms, 0},
		{"one stood idle", func(g *gauge) { g.work(1 * ms) }, 5 * ms, 9 * ms, 0, 4 * ms},
		{"all busy for part of the time", func(g *gauge) { g.work(1 * ms); g.work(7 * ms) }, 5 * ms, 9 * ms, 2 * ms, 2 * ms},
		{"a turnaround is not idleness", func(g *gauge) {
			g.work(1 * ms)
			g.work(2 * ms)
			g.rest(6 * ms)
			g.work(6*ms + turnaround/2)
		}, 5 * ms, 9 * ms, 4 * ms, 0},
		{"idleness is", func(g *gauge) { g.work(1 * ms); g.work(2 * ms); g.rest(6 * ms); g.work(7 * ms) }, 5 * ms, 9 * ms, 2 * ms, 2 * ms},
		{"not late", func(g *gauge) { g.work(1 * ms); g.work(2 * ms) }, 9 * ms, 9 * ms, 0, 0},
	} {
		var g gauge
		g.begin(2, 0)
		tt.do(&g)
		if target, ours := g.blame(tt.due, tt.now); target != tt.target || ours != tt.ours {
			t.Errorf("%s: blame(%s, %s) = target %s, ours %s; want %s, %s", tt.name, tt.due, tt.now, target, ours, tt.target, tt.ours)
		}
	}
}
