package cmd

import (
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server"
)

func TestExaminedPrint(t *testing.T) {
	ok := server.Finding{Name: "reachable", Level: server.OK, Says: "it answers"}
	warn := server.Finding{Name: "persistence", Level: server.Warn, Says: "up to 1 s can be lost", Hint: "appendfsync always"}
	bad := server.Finding{Name: "eviction", Level: server.Fail, Says: "allkeys-lru", Hint: "noeviction"}
	tests := []struct {
		name     string
		promise  string
		colour   bool
		findings []server.Finding
		want     string
		exit     int
	}{
		{"all well", "nothing lost", false, []server.Finding{ok},
			"redis://h\npromise: nothing lost\n\n✓ reachable  it answers\n\nall in order\n", exitPass},
		{"a warning", "", false, []server.Finding{ok, warn},
			"redis://h\n\n✓ reachable    it answers\n! persistence  up to 1 s can be lost\n               → appendfsync always\n\nusable, with 1 !\n", exitPass},
		{"a failure outranks what comes after", "", false, []server.Finding{bad, warn, ok},
			"redis://h\n\n✗ eviction     allkeys-lru\n               → noeviction\n! persistence  up to 1 s can be lost\n               → appendfsync always\n" +
				"✓ reachable    it answers\n\nnot usable as it is: 1 ✗\n", exitFailed},
		{"colours", "", true, []server.Finding{ok, bad},
			"redis://h\n\n\x1b[32m✓\x1b[0m reachable  it answers\n\x1b[31m✗\x1b[0m eviction   allkeys-lru\n             → noeviction\n\nnot usable as it is: 1 ✗\n", exitFailed},
	}
	for _, tt := range tests {
		x := &examined{Store: "redis://h", Promise: tt.promise, Level: server.OK}
		x.add(tt.findings...)
		var b strings.Builder
		x.print(&b, tt.colour)
		if got := b.String(); got != tt.want || x.ExitCode != tt.exit {
			t.Errorf("%s: print(colour %t) = %q, exit code %d; want %q, %d", tt.name, tt.colour, got, x.ExitCode, tt.want, tt.exit)
		}
	}
}
