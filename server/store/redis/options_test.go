package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server/store/redistest"

	"github.com/turnomatico/tmctl/server"
)

func TestParse(t *testing.T) {
	tests := []struct {
		url  string
		want Options
		name string // empty: the URL
	}{
		{url: "redis://h", want: Options{network: "tcp", addr: "h:6379", prefix: "turno:"}},
		{url: "redis://h:1", want: Options{network: "tcp", addr: "h:1", prefix: "turno:"}},
		{url: "redis://h:1/", want: Options{network: "tcp", addr: "h:1", prefix: "turno:"}},
		{url: "redis://h:1/15", want: Options{network: "tcp", addr: "h:1", db: 15, prefix: "turno:"}},
		{url: "redis://[::1]:7", want: Options{network: "tcp", addr: "[::1]:7", prefix: "turno:"}},
		{url: "redis://:p%40%2F%23%00@h", want: Options{Password: "p@/#\x00", network: "tcp", addr: "h:6379", prefix: "turno:"}, name: "redis://h"},
		{url: "redis://u:p@h/2?prefix=q:", want: Options{Password: "p", user: "u", network: "tcp", addr: "h:6379", db: 2, prefix: "q:"}, name: "redis://u@h/2?prefix=q:"},
		{url: "redis://u@h", want: Options{user: "u", network: "tcp", addr: "h:6379", prefix: "turno:"}},
		{url: "redis://h?prefix=", want: Options{network: "tcp", addr: "h:6379"}},
		{url: "redis://h?prefix=%C3%BC", want: Options{network: "tcp", addr: "h:6379", prefix: "ü"}},
		{url: "rediss://h", want: Options{network: "tcp", addr: "h:6379", host: "h", tls: true, prefix: "turno:"}},
		{url: "rediss://h?cacert=/a&cert=/b&key=/c", want: Options{network: "tcp", addr: "h:6379", host: "h", tls: true, prefix: "turno:", ca: "/a", cert: "/b", key: "/c"}},
		{url: "redis://h?wait=2", want: Options{network: "tcp", addr: "h:6379", prefix: "turno:", replicas: 2}},
		{url: "redis+sentinel://a/m", want: Options{network: "tcp", addr: "a:26379", prefix: "turno:", sentinels: []string{"a:26379"}, master: "m"}},
		{url: "redis+sentinel://u:p@a:1,b,[::1]:2/m/3?sentinel_username=s&sentinel_password=q%26&wait=1",
			want: Options{
				Password: "p", user: "u", network: "tcp", addr: "a:1,b:26379,[::1]:2", db: 3, prefix: "turno:", replicas: 1,
				sentinels: []string{"a:1", "b:26379", "[::1]:2"}, master: "m", sentinelUser: "s", SentinelPassword: "q&",
			}, name: "redis+sentinel://u@a:1,b,[::1]:2/m/3?sentinel_username=s&wait=1"},
		{url: "rediss+sentinel://a/m?cacert=/c",
			want: Options{network: "tcp", addr: "a:26379", prefix: "turno:", tls: true, ca: "/c", sentinels: []string{"a:26379"}, master: "m"}},
		{url: "redis+unix:///run/r.sock", want: Options{network: "unix", addr: "/run/r.sock", prefix: "turno:"}},
		{url: "redis+unix://u:p@/run/a%40b.sock?db=3", want: Options{Password: "p", user: "u", network: "unix", addr: "/run/a@b.sock", db: 3, prefix: "turno:"}, name: "redis+unix://u@/run/a%40b.sock?db=3"},
	}
	for _, tt := range tests {
		tt.want.Grace, tt.want.name = DefaultGrace, tt.name
		if tt.want.sentinels != nil {
			tt.want.Grace = SentinelGrace
		}
		if tt.name == "" {
			tt.want.name = tt.url
		}
		got, err := Parse(tt.url)
		got.pause, got.patience = nil, 0
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", tt.want) || err != nil {
			t.Errorf("Parse(%s) = %+v, %v; want %+v", tt.url, got, err, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ url, want string }{
		{"", "scheme"},
		{"localhost:6379", "scheme"},
		{"http://h", "scheme"},
		{"redis+other://h", "scheme"},
		{"redis+sentinel://h", "wants the name that the Sentinels have"},
		{"redis+sentinel://h/", "wants the name that the Sentinels have"},
		{"redis+sentinel:///m", "wants a host"},
		{"redis+sentinel://h,/m", "wants a host"},
		{"redis+sentinel://a,b:x/m", "wants a host"},
		{"redis+sentinel://a,b/m/x", `the database "x" is no number`},
		{"redis+sentinel://a?master=m", "knows no ?master="},
		{"redis://a,b", "redis:// is one Redis"},
		{"redis://a?wait=", "?wait= is how many"},
		{"redis://a?wait=-1", "?wait= is how many"},
		{"redis://", "wants a host"},
		{"redis:///1", "wants a host"},
		{"redis:h", "wants a host"},
		{"redis://h/a", `the database "a" is no number`},
		{"redis://h/-1", `the database "-1" is no number`},
		{"redis://h/1/2", `the database "1/2" is no number`},
		{"redis://h?db=1", "redis:// knows no ?db=; it knows prefix, wait"},
		{"redis://h?cacert=/a", "redis:// knows no ?cacert=; it knows prefix, wait"},
		{"rediss://h?insecure=1", "rediss:// knows no ?insecure=; it knows prefix, cacert, cert, key"},
		{"rediss://h?cert=/a", "go together"},
		{"rediss://h?key=/a", "go together"},
		{"redis+unix://h/run/r.sock", "wants the path of a socket"},
		{"redis+unix://", "wants the path of a socket"},
		{"redis+unix:///", "wants the path of a socket"},
		{"redis+unix:///r?db=x", `the database "x" is no number`},
		{"redis://h?prefix=turno", "must end in a character that no id has"},
		{"redis://h?prefix=" + strings.Repeat("x", 64) + ":", "has 65 bytes; it may have 64"},
		{"redis://h?prefix=%zz", "can't be read"},
	}
	for _, tt := range tests {
		if o, err := Parse(tt.url); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse(%s) = %+v, %v; want an error with %q", tt.url, o, err, tt.want)
		}
	}
}

// A password that was written wrongly is not quoted back, whatever part of the URL it became.
func TestParseQuotesNoPassword(t *testing.T) {
	const canary = "canary"
	for _, special := range []string{"/", "?", "#", "@", ":", "%", "%zz", " ", "\x7f", "\n", "[", "]", "\\", "&", "=", "?prefix=", "/1?db=", ":1/", ":1?", "@h:1/"} {
		for _, password := range []string{canary + special, special + canary, canary + special + canary, "1" + special + canary} {
			for _, format := range []string{"redis://:%s@h", "redis://u:%s@h:1/2", "rediss://%s@h", "redis+unix://u:%s@/r", "redis://h:1:%s@h",
				"redis+sentinel://u:%s@a,b/m", "redis+sentinel://a,b/m?sentinel_password=%s"} {
				at := fmt.Sprintf(format, password)
				o, err := Parse(at)
				if err != nil && strings.Contains(err.Error(), canary) {
					t.Errorf("Parse(%q) = %v, which quotes the password", at, err)
				}
				if err == nil && (strings.Contains(format, ":%s@") || strings.HasSuffix(format, "=%s")) && strings.Contains(o.name, canary) {
					t.Errorf("Parse(%q) names it %s, with the password", at, o.name)
				}
			}
		}
	}
}

// No error, log line or fact of a Redis that one can't get into holds the password.
func TestErrorsHoldNoPassword(t *testing.T) {
	const canary = "canary&1"
	plain := redistest.Start(t, redistest.Options{Password: "another"})
	bare := redistest.Start(t, redistest.Options{Password: canary, Config: []string{`rename-command HELLO ""`, `rename-command AUTH ""`}})
	secure := redistest.Start(t, redistest.Options{TLS: true, ClientCerts: true, Password: canary})
	poor := redistest.Start(t, redistest.Options{Config: []string{"user u on >" + canary + " ~other:* +@all -info"}})
	replica := redistest.Start(t, redistest.Options{Password: canary, Config: []string{"replicaof 127.0.0.1 1", "replica-serve-stale-data no"}})
	missing := t.TempDir() + "/missing"
	if err := os.WriteFile(missing+"-empty", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, url, want string }{
		{"nobody there", "redis://u:PW@127.0.0.1:1", "connection refused"},
		{"no such host", "redis://u:PW@host.invalid", "host.invalid"},
		{"no such socket", "redis+unix://u:PW@/does/not/exist", "no such file"},
		{"a wrong password", "redis://u:PW@" + plain.Addr(), "does not accept"},
		{"a Redis that quotes what it does not know", "redis://:PW@" + bare.Addr(), "unknown command"},
		{"TLS where there is none", "rediss://u:PW@" + plain.Addr(), "redis:// instead of rediss://"},
		{"no TLS where it is wanted", "redis://:PW@" + secure.Addr(), "does it want TLS"},
		{"an unknown authority", "rediss://:PW@" + secure.Addr(), "?cacert=FILE"},
		{"no certificate where one is wanted", "rediss://:PW@" + secure.Addr() + "?cacert=" + url.QueryEscape(secure.Certs.CA), "does it want a certificate of ours"},
		{"no file of authorities", "rediss://:PW@" + secure.Addr() + "?cacert=" + missing, "no such file"},
		{"an empty file of authorities", "rediss://:PW@" + secure.Addr() + "?cacert=" + missing + "-empty", "no certificate in PEM"},
		{"no key", "rediss://:PW@" + secure.Addr() + "?cert=" + secure.Certs.Client + "&key=" + missing, "no such file"},
		{"no rights", "redis://u:PW@" + poor.Addr(), "may not do this"},
		{"a replica without its master", "redis://:PW@" + replica.Addr(), "use its master, 127.0.0.1:1"},
		{"no such database", "redis://u:PW@" + poor.Addr() + "/99", "out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			at := strings.Replace(tt.url, "PW", url.QueryEscape(canary), 1)
			s, err := Open(t.Context(), at, server.Bounds{IDs: 10}, slog.New(slog.NewTextHandler(&log, nil)))
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open(%s) = %v; want an error with %q", tt.url, err, tt.want)
			}
			if said := fmt.Sprint(err) + log.String(); strings.Contains(said, "canary") {
				t.Errorf("Open(%s) says %q, with the password", tt.url, said)
			}
		})
	}
}

// Whoever opens a store that does not answer can stop waiting.
func TestOpenEnds(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	r.Pause()
	ctx, end := context.WithTimeout(t.Context(), soon)
	defer end()
	o, err := Parse(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	o.patience = patienceOfTests
	start := time.Now()
	s, err := o.Open(ctx, server.Bounds{IDs: 10}, slog.New(slog.DiscardHandler))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open(a paused Redis) = %v, %v; want it to end with its context", s, err)
	}
	if took := time.Since(start); took >= patienceOfTests {
		t.Errorf("Open(a paused Redis) took %s after its context had ended", took)
	}
}
