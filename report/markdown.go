package report

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// What a target says of itself, and the answers that it got wrong, end up in the document. The functions here keep such
// text from becoming markup: prose is escaped, quotations become code spans, commands become words of a shell.

// prose escapes what markdown would read as markup. An underscore inside a word is none (GFM §6.2), so slo_missed stays.
func prose(s string) string {
	var b strings.Builder
	runes := []rune(strings.Join(strings.Fields(s), " "))
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	for i, r := range runes {
		switch {
		case !unicode.IsPrint(r): // also the marks that turn the direction of text around
			continue
		case strings.ContainsRune("\\`*<&[]|~", r), r == '_' && !(word(i-1) && word(i+1)),
			i == 0 && strings.ContainsRune("#>+-", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// code quotes s as a code span. What can't be printed is written as Go writes it in a string.
func code(s string) string {
	if s == "" {
		return missing
	}
	if quoted := strconv.Quote(s); strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		s = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	}
	ticks := "`"
	for strings.Contains(s, ticks) {
		ticks += "`"
	}
	if len(ticks) > 1 || strings.HasPrefix(s, " ") && strings.HasSuffix(s, " ") { // CommonMark §6.1 strips one space of each side
		s = " " + s + " "
	}
	return ticks + s + ticks
}

// cell makes a code span fit into a table, where only \| is a bar (GFM §4.10).
func cell(span string) string { return strings.ReplaceAll(span, "|", `\|`) }

// Link makes a relative link of a file's name, whatever characters it has.
func Link(file string) string {
	return strings.NewReplacer("(", "%28", ")", "%29").Replace((&url.URL{Path: file}).String())
}

// shell writes argv as one line that a POSIX shell splits into the same words ($'…' where a word holds control characters).
func shell(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = shellWord(a)
	}
	return strings.Join(words, " ")
}

func shellWord(s string) string {
	plain := func(r rune) bool {
		return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("_@%+=:,./-", r)
	}
	switch {
	case s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0:
		return s
	case strings.IndexFunc(s, unicode.IsControl) >= 0:
		quoted := strconv.Quote(s)
		return "$'" + strings.ReplaceAll(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`), `'`, `\'`) + "'"
	default:
		return "'" + strings.ReplaceAll(s, `'`, `'\''`) + "'"
	}
}
