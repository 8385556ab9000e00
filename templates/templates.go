// Package templates holds the text of what tmctl writes for people, as files; what fills them is in the packages that
// write. Start with report.md.tmpl.
package templates

import "embed"

// FS holds every template.
//
//go:embed *.tmpl
var FS embed.FS
