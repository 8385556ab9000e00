package cmd

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestTextLog(t *testing.T) {
	tests := []struct {
		name string
		log  func(*slog.Logger)
		want string
	}{
		{"a message", func(l *slog.Logger) { l.Info("ready") }, "ready\n"},
		{"what belongs to it", func(l *slog.Logger) { l.Info("ready", "n", 3, "why", "it was asked", "admin", "") }, `ready  n=3  why="it was asked"` + "\n"},
		{"a warning", func(l *slog.Logger) { l.Warn("store failed", "err", errors.New("gone")) }, "warn: store failed  err=gone\n"},
		{"what it always belongs to", func(l *slog.Logger) { l.With("id", "a").Info("ready", "n", 1) }, "ready  id=a  n=1\n"},
		{"a detail for nobody", func(l *slog.Logger) { l.Debug("read") }, ""},
	}
	for _, tt := range tests {
		var b strings.Builder
		tt.log(newLog(&Env{Err: &b}, "text"))
		_, got, _ := strings.Cut(b.String(), " ") // the time
		if got != tt.want {
			t.Errorf("%s: %q; want %q", tt.name, got, tt.want)
		}
	}
}
