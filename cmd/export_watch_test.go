package cmd

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/monitor/export"
)

var composedServe = regexp.MustCompile(`command: \[(serve[^\]]*)\]`)

// The server of the compose file is started with flags that serve has, and values that it takes.
func TestComposedServerStarts(t *testing.T) {
	var b bytes.Buffer
	if err := export.Compose(&b, monitor.Alerts(monitor.DefaultConfig()), "latest"); err != nil {
		t.Fatal(err)
	}
	m := composedServe.FindStringSubmatch(b.String())
	if m == nil {
		t.Fatal("no server is started")
	}
	args := strings.Split(strings.ReplaceAll(m[1], `"`, ""), ", ")
	c, rest, err := testRoot().Find(args)
	if err != nil || c.Name() != "serve" {
		t.Fatalf("Find(%q) = %v, %v; want serve", args, c, err)
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("serve does not take %q: %v", rest, err)
	}
	if store := c.Flag("store").Value.String(); validStore(store) != nil {
		t.Errorf("serve does not take the store %s", store)
	}
}

func TestModuleVersion(t *testing.T) {
	tests := []struct{ version, want string }{
		{"v1.2.3", "v1.2.3"}, {"dev", "latest"}, {"v1.2.3-4-gabcdef", "latest"}, {"v1.2.3+dirty", "latest"}, {"", "latest"},
	}
	for _, tt := range tests {
		if got := moduleVersion(tt.version); got != tt.want {
			t.Errorf("moduleVersion(%s) = %s; want %s", tt.version, got, tt.want)
		}
	}
}
