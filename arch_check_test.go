package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/turnomatico/tmctl/"

type (
	room  struct{ path, may, inTests, why string }
	owner struct{ module, by, inTests, why string }
	ban   struct{ uses, but, why string }
)

// file is a parsed source file of the repository.
type file struct {
	path string // from the root, with slashes
	set  *token.FileSet
	*ast.File
}

func (f file) room() string { return path.Dir(f.path) }
func (f file) test() bool   { return strings.HasSuffix(f.path, "_test.go") }

// forTests is a test, or in a package that only tests import: its name ends in test, as httptest's does.
func (f file) forTests() bool { return f.test() || strings.HasSuffix(f.room(), "test") }

// name is the package's own name, also for its external tests.
func (f file) name() string { return strings.TrimSuffix(f.File.Name.Name, "_test") }

func (f file) complain(at token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: ", f.path, f.set.Position(at).Line) + fmt.Sprintf(format, args...)
}

func parse(t *testing.T, path, src string) file {
	t.Helper()
	set := token.NewFileSet()
	var text any
	if src != "" {
		text = src
	}
	f, err := parser.ParseFile(set, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file{path: path, set: set, File: f}
}

// parseTree reads every Go file below the root, whatever its build constraints.
func parseTree(t *testing.T) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && p != "." && (name == "testdata" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(p, ".go") {
			files = append(files, parse(t, filepath.ToSlash(p), ""))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// check says what one file does that the tables forbid.
func check(f file) (complaints []string) {
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser would have refused it
		}
		if c := checkImport(f, p); c != "" {
			complaints = append(complaints, f.complain(spec.Pos(), "%s", c))
		}
	}
	if !f.forTests() {
		complaints = append(complaints, checkBans(f)...)
	}
	return complaints
}

func checkImport(f file, p string) string {
	ours, internal := strings.CutPrefix(p, module)
	first, _, _ := strings.Cut(p, "/")
	switch {
	case internal:
		return checkRoom(f, ours)
	case strings.Contains(first, "."):
		return checkOwner(f, p)
	default:
		for _, o := range restricted {
			if o.module == p && !f.forTests() && !listed(o.by, f.room()) {
				return fmt.Sprintf("%s may not import %s: %s", f.room(), p, o.why)
			}
		}
		return ""
	}
}

func checkRoom(f file, imported string) string {
	if strings.HasSuffix(imported, "test") && !f.forTests() {
		return fmt.Sprintf("%s may not import %s: it is for tests", f.room(), imported)
	}
	r, known := findRoom(f.room())
	if !known || r.may == "*" || listed(r.may, imported) || f.forTests() && (imported == f.room() || listed(r.inTests, imported)) {
		return ""
	}
	return fmt.Sprintf("%s may not import %s: %s", f.room(), imported, r.why)
}

func checkOwner(f file, p string) string {
	for _, o := range owners {
		if p != o.module && !strings.HasPrefix(p, o.module+"/") {
			continue
		}
		testOnly := o.by == "" && o.inTests == "" // everyone's, in tests
		if listed(o.by, f.room()) || f.forTests() && (testOnly || listed(o.inTests, f.room())) {
			return ""
		}
		return fmt.Sprintf("%s may not import %s: %s", f.room(), p, o.why)
	}
	return p + " has no owner; if it is worth having, give it one in arch_test.go, with the reason"
}

// checkBans looks for banned names, whatever the file calls the package they come from.
func checkBans(f file) (complaints []string) {
	packages := map[string]string{} // local name → the last element of its path
	for _, spec := range f.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		local := path.Base(p)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		packages[local] = path.Base(p)
	}
	ast.Inspect(f.File, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				complaints = append(complaints, f.complain(n.Pos(), "func init: what runs before main can't be tested or turned off; call it"))
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok || packages[x.Name] == "" {
				break
			}
			used := packages[x.Name] + "." + n.Sel.Name
			for _, b := range bans {
				if listed(b.uses, used) && !listed(b.but, f.path) {
					complaints = append(complaints, f.complain(n.Pos(), "%s is banned here: %s", used, b.why))
				}
			}
		}
		return true
	})
	return complaints
}

// checkPackages says what is wrong with packages as wholes.
func checkPackages(files []file) (complaints []string) {
	comments := map[string][]string{} // room → files with a package comment
	for _, f := range files {
		if listed(vague, f.name()) {
			complaints = append(complaints, f.complain(f.Package, "%s says nothing about what is in the package; name it after its noun", f.name()))
		}
		if f.test() {
			continue
		}
		with := comments[f.room()]
		if f.Doc != nil {
			with = append(with, f.path)
		}
		comments[f.room()] = with
	}
	for room, with := range comments {
		if _, ok := findRoom(room); !ok {
			complaints = append(complaints, room+" is not in the table of rooms; add it there and to docs/ARCHITECTURE.md, with the reason")
		}
		slices.Sort(with)
		switch len(with) {
		case 1:
		case 0:
			complaints = append(complaints, room+" has no package comment; say what it is and what to read first")
		default:
			complaints = append(complaints, fmt.Sprintf("%s has %d package comments (%s); keep one", room, len(with), strings.Join(with, ", ")))
		}
	}
	slices.Sort(complaints)
	return complaints
}

// checkRooms says which rows of the table stand for nothing: a row comes and goes with its package.
func checkRooms(files []file) (complaints []string) {
	for _, r := range rooms {
		if !slices.ContainsFunc(files, func(f file) bool { in, _ := findRoom(f.room()); return in == r }) {
			complaints = append(complaints, r.path+" is in the table of rooms but not in the tree; take its row out")
		}
	}
	return complaints
}

// findRoom prefers the room of that very name to one with /*.
func findRoom(p string) (room, bool) {
	for _, pattern := range []string{p, path.Dir(p) + "/*"} {
		if i := slices.IndexFunc(rooms, func(r room) bool { return r.path == pattern }); i >= 0 {
			return rooms[i], true
		}
	}
	return room{}, false
}

// listed reports whether a list of words holds one.
func listed(words, word string) bool { return slices.Contains(strings.Fields(words), word) }
