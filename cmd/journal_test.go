package cmd

import (
	"testing"

	"github.com/turnomatico/tmctl/journal"
	"github.com/turnomatico/tmctl/server"
)

// What a server tells is what a journal takes.
func TestServerEventsAreKinds(t *testing.T) {
	for _, kind := range server.EventKinds {
		if !journal.Kind(kind).Valid() {
			t.Errorf("a server tells of %s, which is not on the list of kinds", kind)
		}
	}
}

func TestDefaultJournal(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want string
	}{
		{"named", map[string]string{"TMCTL_JOURNAL": "j", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "j"},
		{"XDG", map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/tmctl/journal.ndjson"},
		{"a relative path, which XDG has ignored", map[string]string{"XDG_STATE_HOME": "x", "HOME": "/h"}, "/h/.local/state/tmctl/journal.ndjson"},
		{"home", map[string]string{"HOME": "/h"}, "/h/.local/state/tmctl/journal.ndjson"},
		{"neither", nil, ""},
	}
	for _, tt := range tests {
		if got := defaultJournal(&Env{Getenv: func(k string) string { return tt.env[k] }}); got != tt.want {
			t.Errorf("defaultJournal(%s) = %q; want %q", tt.name, got, tt.want)
		}
	}
}
