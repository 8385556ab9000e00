package cmd

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/turnomatico/tmctl/server"
)

// marks are how findings look: the glyph says it all, so that nothing is lost without colours.
var marks = map[server.Level]struct{ glyph, colour string }{
	server.OK:   {"✓", "\x1b[32m"},
	server.Warn: {"!", "\x1b[33m"},
	server.Fail: {"✗", "\x1b[31m"},
}

// print writes the findings for people.
func (x *examined) print(w io.Writer, colour bool) {
	fmt.Fprintln(w, x.Store)
	if x.Promise != "" {
		fmt.Fprintln(w, "promise:", x.Promise)
	}
	fmt.Fprintln(w)
	wide := 0
	for _, f := range x.Findings {
		wide = max(wide, utf8.RuneCountInString(f.Name))
	}
	count := map[server.Level]int{}
	for _, f := range x.Findings {
		count[f.Level]++
		glyph := marks[f.Level].glyph
		if colour {
			glyph = marks[f.Level].colour + glyph + "\x1b[0m"
		}
		fmt.Fprintf(w, "%s %-*s  %s\n", glyph, wide, f.Name, f.Says)
		if f.Hint != "" {
			fmt.Fprintf(w, "%s→ %s\n", strings.Repeat(" ", wide+4), f.Hint)
		}
	}
	fmt.Fprintf(w, "\n%s\n", x.conclusion(count))
}

// conclusion says what to make of it all.
func (x *examined) conclusion(count map[server.Level]int) string {
	switch x.Level {
	case server.Fail:
		return fmt.Sprintf("not usable as it is: %d ✗", count[server.Fail])
	case server.Warn:
		return fmt.Sprintf("usable, with %d !", count[server.Warn])
	default:
		return "all in order"
	}
}

// coloured reports whether stdout is a terminal whose user wants colours (no-color.org).
func coloured(env *Env) bool {
	f, ok := env.Out.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd())) && env.Getenv("NO_COLOR") == "" && env.Getenv("TERM") != "dumb"
}
