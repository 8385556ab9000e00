package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnomatico/tmctl/monitor"
)

var fast = &monitor.Alert{Name: "TurnoErrorBurn", Severity: monitor.Critical, Summary: "errors <burn>", Unit: monitor.Share}

func status(instance string, state monitor.State) monitor.Status {
	now := time.Now()
	return monitor.Status{Alert: fast, Instance: instance, State: state, Value: 0.25, Since: now.Add(-time.Minute), Fired: now.Add(-time.Minute), At: now}
}

// far is a receiver: a RoundTripper that keeps what it gets and answers what it is told to.
type far struct {
	mu     sync.Mutex
	answer func(nth int) (status int, err error)
	got    []string
	at     []time.Time
	tried  int
}

func (f *far) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried++
	f.at = append(f.at, time.Now())
	status, err := f.answer(f.tried)
	if err != nil {
		return nil, err
	}
	if status == 200 {
		f.got = append(f.got, r.URL.Path+" "+string(body))
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func always(status int) func(int) (int, error) { return func(int) (int, error) { return status, nil } }

func open(t *testing.T, url string, f *far) *Desk {
	t.Helper()
	r, err := Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	return Open(t.Context(), []Receiver{r}, f, slog.New(slog.DiscardHandler))
}

func tell(d *Desk, changes ...monitor.Status) { d.Tell(changes, nil) }

// While a receiver is dead, what happens is kept and becomes one message: the latest of each alert.
func TestDeadReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: func(nth int) (int, error) {
			if nth <= 5 {
				return []int{0, 500, 503, 429, 502, 408}[nth], nil
			}
			return 200, nil
		}}
		d := open(t, "http://h/hook", f)
		begin := time.Now()
		tell(d, status("n1", monitor.Firing), status("n2", monitor.Firing), status("n3", monitor.Pending))
		time.Sleep(10 * time.Second)
		tell(d, status("n1", monitor.Resolved))
		time.Sleep(time.Hour)
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
		var at []string
		for _, a := range f.at {
			at = append(at, a.Sub(begin).String())
		}
		if got := strings.Join(at, " "); got != "0s 1s 3s 7s 15s 31s" {
			t.Errorf("tried at %s; want pauses that double", got)
		}
		var m message
		if len(f.got) != 1 || json.Unmarshal([]byte(strings.TrimPrefix(f.got[0], "/hook ")), &m) != nil {
			t.Fatalf("it got %q; want one message", f.got)
		}
		if len(m.Alerts) != 2 || m.Status != monitor.Firing || m.Alerts[0].Instance != "n2" || m.Alerts[1].State != monitor.Resolved {
			t.Errorf("it got %+v; want n2 firing and n1 resolved, nobody pending", m)
		}
	})
}

func TestRefusedMessageIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: always(404)}
		d := open(t, "http://h/hook", f)
		tell(d, status("n1", monitor.Firing))
		time.Sleep(time.Hour)
		synctest.Wait()
		if f.tried != 1 {
			t.Errorf("tried %d times; want once", f.tried)
		}
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A receiver that never answers holds up neither who tells, nor another receiver, nor the end.
func TestHangingReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: always(200)}
		hanging, _ := Parse("http://hangs/")
		good, _ := Parse("http://h/hook")
		d := Open(t.Context(), []Receiver{hanging, good}, byHost{"hangs": hang{}, "h": f}, slog.New(slog.DiscardHandler))
		for range 3 {
			tell(d, status("n1", monitor.Firing))
			synctest.Wait()
		}
		if len(f.got) != 3 {
			t.Errorf("the other got %d messages; want 3", len(f.got))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := d.Close(ctx); err == nil || err.Error() != "hangs was not told of 1 alerts" {
			t.Errorf("Close() = %v; want that hangs was not told", err)
		}
	})
}

type byHost map[string]http.RoundTripper

func (b byHost) RoundTrip(r *http.Request) (*http.Response, error) { return b[r.URL.Host].RoundTrip(r) }

type hang struct{}

func (hang) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// Closing gives a receiver that could not be told a last chance at once.
func TestCloseTriesOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: func(nth int) (int, error) {
			if nth < 8 {
				return 0, errors.New("connection refused")
			}
			return 200, nil
		}}
		d := open(t, "http://h/hook", f)
		tell(d, status("n1", monitor.Firing))
		time.Sleep(70 * time.Second) // it has been tried seven times, and rests for a minute
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.Close(ctx); err != nil || len(f.got) != 1 {
			t.Errorf("Close() = %v after %d attempts; want that it was told", err, f.tried)
		}
	})
}

// Alertmanager resolves by itself what it is not reminded of.
func TestAlertmanagerIsReminded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: always(200)}
		d := open(t, "alertmanager+http://h:9093/prefix", f)
		firing := []monitor.Status{status("n1", monitor.Firing)}
		d.Tell(firing, firing)
		for range 60 { // five minutes of looks
			time.Sleep(5 * time.Second)
			d.Tell(nil, firing)
		}
		synctest.Wait()
		resolved := status("n1", monitor.Resolved)
		d.Tell([]monitor.Status{resolved}, nil)
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if len(f.got) != 7 {
			t.Errorf("it got %d messages; want the alert, a reminder each minute, and the end", len(f.got))
		}
		for i, m := range f.got {
			var list []posted
			path, body, _ := strings.Cut(m, " ")
			if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != 1 || path != "/prefix/api/v2/alerts" {
				t.Fatalf("message %d is %s to %s: %v", i, body, path, err)
			}
			if l := list[0].Labels; l["alertname"] != "TurnoErrorBurn" || l["severity"] != "critical" || l["instance"] != "n1" {
				t.Errorf("labels are %v", l)
			}
			if end := list[0].EndsAt.Sub(f.at[i]); i < 6 && end != forgetAfter || i == 6 && end > 0 {
				t.Errorf("message %d ends in %s", i, end)
			}
		}
	})
}

func TestSlack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: always(200)}
		d := open(t, "slack+https://hooks.slack.com/services/T/B/X", f)
		tell(d, status("n1", monitor.Firing), status("n2", monitor.Resolved))
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
		const want = `:rotating_light: *TurnoErrorBurn* (critical) n1 errors &lt;burn&gt; (25 %) ` +
			`<https://github.com/turnomatico/tmctl/blob/main/docs/runbooks/TurnoErrorBurn.md|runbook>` + "\n" +
			`:white_check_mark: *TurnoErrorBurn* resolved after 1m0s: n2 errors &lt;burn&gt; (25 %)`
		var m map[string]string
		if len(f.got) != 1 || json.Unmarshal([]byte(strings.TrimPrefix(f.got[0], "/services/T/B/X ")), &m) != nil || m["text"] != want {
			t.Errorf("it got %q; want %q", m["text"], want)
		}
	})
}

func TestParse(t *testing.T) {
	tests := []struct{ url, name, to string }{
		{"https://example.org/hook?token=hush", "example.org", "https://example.org/hook?token=hush"},
		{"http://example.org/a+b", "example.org", "http://example.org/a+b"},
		{"slack+https://hooks.slack.com/services/T/B/hush", "hooks.slack.com", "https://hooks.slack.com/services/T/B/hush"},
		{"alertmanager+http://h:9093", "h:9093", "http://h:9093/api/v2/alerts"},
		{"", "", ""}, {"example.org", "", ""}, {"ftp://hush", "", ""}, {"pager+https://hush/", "", ""}, {"https://", "", ""}, {"slack+ftp://hush", "", ""},
	}
	for _, tt := range tests {
		r, err := Parse(tt.url)
		if r.Name != tt.name || r.url != tt.to || (err == nil) != (tt.to != "") {
			t.Errorf("Parse(%s) = %s, %s, %v; want %s, %s", tt.url, r.Name, r.url, err, tt.name, tt.to)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("Parse(%s) = %v, which shows a secret", tt.url, err)
		}
	}
}
