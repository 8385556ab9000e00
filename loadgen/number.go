package loadgen

import (
	"strconv"
	"strings"

	"github.com/turnomatico/tmctl/history"
)

// parseTurno reads a JSON number as a turno. Exactly: no float is involved, so 2^53 is not taken for 2^53−1.
// 42.0 and 4.2e1 are 42, with the reason Remarked.
func parseTurno(text string) (uint64, history.Reason) {
	if v, err := strconv.ParseUint(text, 10, 64); err == nil {
		return inRange(v, history.NoReason)
	}
	negative := strings.HasPrefix(text, "-")
	mantissa, exp, ok := splitNumber(strings.TrimPrefix(text, "-"))
	if !ok {
		return 0, history.NotNumber
	}
	switch {
	case mantissa == "": // zero, however written
		return 0, history.OutOfRange
	case exp < 0:
		return 0, history.Fraction
	case negative || len(mantissa)+exp > 16: // 2^53−1 has 16 digits
		return 0, history.OutOfRange
	}
	v, _ := strconv.ParseUint(mantissa+strings.Repeat("0", exp), 10, 64) // 16 digits at most
	return inRange(v, history.Remarked)
}

func inRange(v uint64, r history.Reason) (uint64, history.Reason) {
	if v < 1 || v > history.MaxTurno {
		return 0, history.OutOfRange
	}
	return v, r
}

// splitNumber writes an unsigned JSON number as mantissa × 10^exp, the mantissa's digits without zeros at either end.
// It bounds exp to ±10⁶, so that 1e999999999 costs nothing.
func splitNumber(text string) (mantissa string, exp int, ok bool) {
	text, e, hasExp := cutAny(text, "eE")
	if hasExp {
		n, err := strconv.Atoi(e)
		if err != nil && !isRangeError(err) {
			return "", 0, false
		}
		exp = min(max(n, -1e6), 1e6)
	}
	whole, frac, _ := strings.Cut(text, ".")
	digits := whole + frac
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", 0, false
	}
	exp -= len(frac)
	trimmed := strings.TrimRight(digits, "0")
	exp += len(digits) - len(trimmed)
	return strings.TrimLeft(trimmed, "0"), exp, true
}

func cutAny(s, chars string) (before, after string, found bool) {
	i := strings.IndexAny(s, chars)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func isRangeError(err error) bool {
	ne, ok := err.(*strconv.NumError)
	return ok && ne.Err == strconv.ErrRange
}
