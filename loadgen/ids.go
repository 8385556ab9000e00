package loadgen

import (
	"fmt"
	"net/textproto"
	"strings"
)

// FreshIDs makes n ids that nobody has used before, as long as seeds differ.
func FreshIDs(n int, seed uint64) []string {
	base := fmt.Sprintf("load-%012x", seed&(1<<48-1))
	if n == 1 {
		return []string{base}
	}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%d", base, i)
	}
	return ids
}

// TargetTakesIDs reports whether target leaves the choice of ids to the run.
func TargetTakesIDs(target string) bool {
	_, id, err := ParseTarget(target)
	return err == nil && id == ""
}

// redacted stands for the value of a header that may be secret.
const redacted = "(redacted)"

// RedactHeader replaces the value of a header unless its name is known to hold nothing secret.
func RedactHeader(header string) string {
	name, value, ok := strings.Cut(header, ":")
	if !ok {
		return redacted
	}
	switch textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)) {
	case "Host", "Accept", "Content-Type", "User-Agent", "Accept-Encoding", "Connection":
		return name + ":" + value
	}
	return name + ": " + redacted
}

// Redacted returns p's plain part with nothing secret in it, for run.json.
func (p *Plan) Redacted() (r Plan) {
	r = *p
	r.Headers = nil
	for _, h := range p.Headers {
		r.Headers = append(r.Headers, RedactHeader(h))
	}
	return r
}
