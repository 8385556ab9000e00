package targettest

import (
	"strconv"
	"strings"
)

// body appends the text that says "you are number n of id".
type body func(b []byte, id string, n uint64) []byte

// appendBody appends the behaviour's text.
func (b *Behaviour) appendBody(to []byte, id string, n uint64) []byte {
	if b.body != nil {
		return b.body(to, id, n)
	}
	to = append(append(to, `{"id":"`...), id...)
	to = strconv.AppendUint(append(to, `","turno":`...), n, 10)
	return append(to, '}')
}

// text is a body with {id}, {n} and {sci} (42 as 4.2e1) in it.
func text(form string) body {
	return func(b []byte, id string, n uint64) []byte {
		digits := strconv.FormatUint(n, 10)
		return append(b, strings.NewReplacer("{id}", id, "{n}", digits, "{sci}", scientific(digits)).Replace(form)...)
	}
}

// scientific writes 42 as 4.2e1, and 7 as 7.0e0.
func scientific(digits string) string {
	frac := digits[1:]
	if frac == "" {
		frac = "0"
	}
	return digits[:1] + "." + frac + "e" + strconv.Itoa(len(digits)-1)
}
