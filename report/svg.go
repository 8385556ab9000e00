package report

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// svg collects a drawing. Coordinates are rounded to a tenth of a pixel, so that the same run gives the same bytes
// on every machine.
type svg struct{ b strings.Builder }

// style holds both colour schemes, spelled out class by class: programs other than browsers don't read CSS variables.
// The hues are those of Okabe and Ito, which colour-blind readers can tell apart.
const style = `
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1f2328 }
.bg { fill: #ffffff } .halo { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
.title { font-size: 17px; font-weight: 600 } .soft { fill: #59636e } .small { font-size: 12px }
.grid { stroke: #e4e8ec } .minor { stroke: #f2f4f6 } .axis { stroke: #818b98 } .key { fill: #59636e; stroke: #59636e; stroke-width: 2 }
.band { fill: #1a7f37; fill-opacity: .14 } .edge { stroke: #1a7f37; stroke-width: 1.5 } .good { fill: #116329; font-weight: 600 }
.slo { stroke: #c0272d; stroke-width: 1.5; stroke-dasharray: 7 4 } .slo-text { fill: #c0272d; font-weight: 600 }
.line { fill: none; stroke-width: 2 } .dot { stroke-width: 2 } .hollow { fill: #ffffff }
.a { stroke: #0072b2 } .a-fill { fill: #0072b2 } .b { stroke: #b85000 } .b-fill { fill: #b85000 } .c { stroke: #a2497f } .c-fill { fill: #a2497f }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .bg, .hollow { fill: #0d1117 } .halo { stroke: #0d1117 } .soft { fill: #9aa5b1 }
.grid { stroke: #262c34 } .minor { stroke: #171c23 } .axis { stroke: #6e7681 } .key { fill: #9aa5b1; stroke: #9aa5b1 }
.band { fill: #3fb950; fill-opacity: .17 } .edge { stroke: #3fb950 } .good { fill: #56d364 }
.slo { stroke: #ff7b72 } .slo-text { fill: #ff7b72 }
.a { stroke: #56b4e9 } .a-fill { fill: #56b4e9 } .b { stroke: #f0883e } .b-fill { fill: #f0883e } .c { stroke: #e08fc0 } .c-fill { fill: #e08fc0 }
.hollow { fill: #0d1117 }
}
`

func newSVG(width, height float64, title, description string) *svg {
	s := &svg{}
	fmt.Fprintf(&s.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%[1]s" height="%[2]s" role="img">`+"\n", px(width), px(height))
	fmt.Fprintf(&s.b, "<title>%s</title>\n<desc>%s</desc>\n<style>%s</style>\n", escape(title), escape(description), style)
	s.rect("bg", 0, 0, width, height)
	return s
}

func (s *svg) String() string { return s.b.String() + "</svg>\n" }

func (s *svg) rect(class string, x, y, w, h float64) {
	fmt.Fprintf(&s.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>`+"\n", class, px(x), px(y), px(w), px(h))
}

func (s *svg) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&s.b, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`+"\n", class, px(x1), px(y1), px(x2), px(y2))
}

// anchor says which point of a text its coordinates are.
type anchor string

const (
	left   anchor = "start"
	middle anchor = "middle"
	right  anchor = "end"
)

// text writes one line; y is its baseline.
func (s *svg) text(class string, a anchor, x, y float64, text string) {
	fmt.Fprintf(&s.b, `<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`+"\n", class, a, px(x), px(y), escape(text))
}

// textUp writes one line from bottom to top, centred.
func (s *svg) textUp(class string, x, y float64, text string) {
	fmt.Fprintf(&s.b, `<text class="%s" text-anchor="middle" transform="translate(%s %s) rotate(-90)">%s</text>`+"\n", class, px(x), px(y), escape(text))
}

func (s *svg) polyline(class string, points []point) {
	words := make([]string, len(points))
	for i, p := range points {
		words[i] = px(p.x) + "," + px(p.y)
	}
	fmt.Fprintf(&s.b, `<polyline class="%s" points="%s"/>`+"\n", class, strings.Join(words, " "))
}

// mark draws one of the marks below, with a tooltip unless it is empty.
func (s *svg) mark(m mark, class string, p point, tip string) {
	shape := ""
	switch m {
	case disc:
		shape = fmt.Sprintf(`<circle class="%s" cx="%s" cy="%s" r="4"`, class, px(p.x), px(p.y))
	case diamond:
		shape = fmt.Sprintf(`<path class="%s" d="M%s %sl6 6l-6 6l-6 -6z"`, class, px(p.x), px(p.y-6))
	case cross:
		shape = fmt.Sprintf(`<path class="%s" d="M%s %sl9 9m0 -9l-9 9"`, class, px(p.x-4.5), px(p.y-4.5))
	}
	if tip == "" {
		s.b.WriteString(shape + "/>\n")
		return
	}
	fmt.Fprintf(&s.b, "<g><title>%s</title>%s/></g>\n", escape(tip), shape)
}

type mark int

const (
	disc mark = iota
	diamond
	cross
)

type point struct{ x, y float64 }

func px(v float64) string { return trimZeros(strconv.FormatFloat(v, 'f', 1, 64)) }

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

// textWidth is a generous guess of how wide a line of 13 px text is; there is no font to ask.
func textWidth(s string) float64 { return 7 * float64(len([]rune(s))) }
