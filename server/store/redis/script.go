package redis

import (
	_ "embed" // scripts
	"fmt"
	"strings"

	"github.com/turnomatico/tmctl/server"
)

// The scripts. They run in Redis as a whole, with nobody else in between.
var (
	//go:embed reserve.lua
	reserveText string
	//go:embed fence.lua
	fenceText string
	//go:embed join.lua
	joinText string
	//go:embed set.lua
	setText string
)

// reserveScript is the reserve script of one life of one node (life.go). Redis keeps it until it ends, so it has no comments.
func reserveScript(l *life, prefix string, b server.Bounds) string {
	ttl := b.SessionTTL.Milliseconds()
	return fmt.Sprintf("-- tmctl node %s\nlocal prefix, alarm, maxIDs, maxSessions, ttl, grain = %s, '%s', %d, %d, %d, %d\n",
		l.node, quoteLua(prefix), l.nonce, b.IDs, b.Sessions, ttl, max(ttl/sessionGrains, 1)) + bare(reserveText)
}

// sessionGrains is into how many parts a session's lifetime is divided: those that begin in one of them end together, so that
// few entries tell how many live.
const sessionGrains = 16

// bare is a script without its comments and indentation.
func bare(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		line, _, _ = strings.Cut(line, "-- ")
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// quoteLua writes s as a string of Lua.
func quoteLua(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for i := range len(s) {
		fmt.Fprintf(&b, `\%03d`, s[i])
	}
	b.WriteByte('\'')
	return b.String()
}
