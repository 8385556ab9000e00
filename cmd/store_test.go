package cmd

import (
	"net/url"
	"strings"
	"testing"
)

// A password is printed by nothing that a --store value leads to before anything is opened, however wrongly it was written.
func FuzzStoreHidesPassword(f *testing.F) {
	for _, form := range []string{
		"redis://user:%@localhost:6379/0", "redis://:%@localhost", "rediss://user:%@[::1]:6380/0?cacert=ca.pem", "redis+unix://:%@/run/redis.sock?db=1",
		"redis://localhost/0?password=%", "redis:%@localhost", "mysql://root:%@localhost", "redis+sentinel://:%@a,b", "redis+sentinel://:%@a,b/m", "rediss+sentinel://u:%@a:1,b:2/m/3?sentinel_username=s",
		"redis+sentinel://a,b/m?sentinel_password=%", "redis+cluster://:%@a:1,b:2", "rediss+cluster://u:%@a,b?partitions=4", "etcd://:%@a", ":%@localhost",
		"redis://a@b:%@localhost", "redis://user:%@local host", "redis://user:%@localhost:port",
	} {
		for _, password := range []string{"hush-hush", "hush@hush", "hush#hush", "hush/hush", "hush%hush", "hush?hush", "hush hush", "hush:hush", "hush\x00hush", "hush%40hush"} {
			f.Add(form, password)
		}
	}
	f.Fuzz(func(t *testing.T, form, password string) {
		before, after, ok := strings.Cut(form, "%")
		if !ok || !strings.Contains(password, "hush") || strings.Contains(form, "hush") || !secretPlace(before, after) {
			t.Skip("no form with a password that can be told from what is around it")
		}
		for _, written := range []string{password, url.QueryEscape(password)} {
			rawURL := before + written + after
			said := ""
			if err := validStore(rawURL); err != nil {
				said = err.Error() + hintOf(err)
			} else {
				said = shownStore(rawURL)
			}
			if strings.Contains(said, "hush") {
				t.Errorf("of --store %q it is said: %s", rawURL, said)
			}
		}
	})
}

// secretPlace reports whether what is between is where a password may be taken to be: after a colon or as a value in a query,
// and not the name of a directory, a user, a query's key or a host.
func secretPlace(before, after string) bool {
	scheme, rest, ok := strings.Cut(before, ":")
	if !ok || scheme == "file" || scheme == "" && rest != "" {
		return false
	}
	if strings.HasSuffix(before, "password=") {
		return after == ""
	}
	return strings.HasSuffix(before, ":") && strings.Contains(after, "@") && strings.Count(rest, "/") <= 2 && !strings.ContainsAny(rest, "?#")
}

func TestShownStore(t *testing.T) {
	tests := []struct{ store, want string }{
		{"memory", "memory"},
		{"file:/var/lib/turnos", "file:/var/lib/turnos"},
		{"file:with space %zz", "file:with space %zz"},
		{"redis://localhost", "redis://localhost"},
		{"redis://:hush@localhost/2", "redis://localhost/2"},
		{"redis+sentinel://bob:hush@[::1]:1,b/m/1?sentinel_password=hush&wait=1", "redis+sentinel://bob@[::1]:1,b/m/1?wait=1"},
		{"rediss://bob:hush@h:6380/0?cacert=ca.pem", "rediss://bob@h:6380/0?cacert=ca.pem"},
		{"redis+cluster://bob:hush@a:1,b:2?partitions=4", "redis+cluster://bob@a:1,b:2?partitions=4"},
	}
	for _, tt := range tests {
		if got := shownStore(tt.store); got != tt.want {
			t.Errorf("shownStore(%q) = %q; want %q", tt.store, got, tt.want)
		}
	}
}
