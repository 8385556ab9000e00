package cmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logFormats are the values of --log-format, the default first.
var logFormats = []string{"text", "json"}

// newLog returns a logger to env.Err.
func newLog(env *Env, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(env.Err, nil))
	}
	return slog.New(&textLog{w: env.Err, mu: new(sync.Mutex)})
}

// textLog writes a line for people: the time of day, the message, then what belongs to it. Levels are words only where
// something is wrong. For machines there is json.
type textLog struct {
	w     io.Writer
	mu    *sync.Mutex
	attrs string // of With, already written out
}

var _ slog.Handler = (*textLog)(nil)

// Enabled implements slog.Handler.
func (h *textLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements slog.Handler.
func (h *textLog) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Time.Format(time.TimeOnly + " "))
	if r.Level >= slog.LevelWarn {
		b.WriteString(strings.ToLower(r.Level.String()) + ": ")
	}
	b.WriteString(r.Message + h.attrs)
	r.Attrs(func(a slog.Attr) bool { writeAttr(&b, a); return true })
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, b.String())
	return err
}

// WithAttrs implements slog.Handler.
func (h *textLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		writeAttr(&b, a)
	}
	return &textLog{w: h.w, mu: h.mu, attrs: b.String()}
}

// WithGroup implements slog.Handler; nobody here groups.
func (h *textLog) WithGroup(string) slog.Handler { return h }

// writeAttr leaves out what is empty: "admin=" says nothing to a person.
func writeAttr(b *strings.Builder, a slog.Attr) {
	v := a.Value.Resolve().String()
	if v == "" {
		return
	}
	if strings.ContainsAny(v, " \t\n\"") {
		v = fmt.Sprintf("%q", v)
	}
	b.WriteString("  " + a.Key + "=" + v)
}
