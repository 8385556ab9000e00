package cmd

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const cliPage = "../docs/cli.md"

// docs/cli.md is written from the command tree, so that it can't say anything else than --help does.
func TestCLIPageIsCurrent(t *testing.T) {
	got := writeCLIPage(t)
	if *update {
		if err := os.WriteFile(cliPage, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(cliPage); err != nil || string(want) != got {
		t.Errorf("docs/cli.md is not what the commands say now (%v); run `make docs` and commit it", err)
	}
}

// commands is every command that a person may call, in the order of help.
func commands(c *cobra.Command) []*cobra.Command {
	found := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			found = append(found, commands(sub)...)
		}
	}
	return found
}

func testRoot() *cobra.Command {
	cobra.EnableCommandSorting = false // the order is newRoot's
	return newRoot(&Env{Getenv: func(string) string { return "" }})
}

func writeCLIPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString("<!-- Written by `make docs` from the commands; don't edit. -->\n\n# tmctl, command by command\n\n")
	all := commands(testRoot())
	for _, c := range all[1:] {
		fmt.Fprintf(&b, "- [%s](#%s) – %s\n", c.CommandPath(), strings.ReplaceAll(c.CommandPath(), " ", "-"), c.Short)
	}
	b.WriteString("- [Exit codes](#exit-codes)\n")
	for _, c := range all {
		writeCommand(&b, c)
	}
	b.WriteString("\n## Exit codes\n\n| code | meaning |\n|--:|---|\n" + exitTable(t))
	return b.String()
}

func writeCommand(b *strings.Builder, c *cobra.Command) {
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n```\n%s\n```\n", c.CommandPath(), escapeAngles(long), c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\nFor example:\n\n```\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	c.Flags().SortFlags = false // in the order in which the command lists them, as --help does
	flags := c.LocalFlags()
	if flags.SortFlags = false; !hasFlags(flags) {
		return
	}
	b.WriteString("\n| flag | default | environment | what it sets |\n|---|---|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := strings.TrimSpace("--" + f.Name + " " + value)
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(b, "| `%s` | %s | `%s` | %s |\n", name, defaultOf(f), flagEnv(c.CommandPath(), f.Name), strings.ReplaceAll(escapeAngles(usage), "|", `\|`))
	})
}

// hasFlags reports whether there is any flag beside --help.
func hasFlags(flags *pflag.FlagSet) (found bool) {
	flags.VisitAll(func(f *pflag.Flag) { found = found || !f.Hidden && f.Name != "help" })
	return found
}

// defaultOf is a flag's default, or nothing where it is the value of a flag that was not given.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "[]", "false", "0", "0s":
		return ""
	}
	return "`" + strings.ReplaceAll(f.DefValue, "|", `\|`) + "`"
}

// escapeAngles keeps markdown from reading <…> as HTML.
func escapeAngles(s string) string { return strings.ReplaceAll(s, "<", "&lt;") }

// exitTable reads the table out of exit.go, where the codes have their one home.
func exitTable(t *testing.T) string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "exit") {
			return true
		}
		code, ok := spec.Values[0].(*ast.BasicLit)
		meaning := strings.TrimSpace(spec.Comment.Text())
		if !ok || meaning == "" {
			t.Errorf("exit.go: %s needs a literal value and a comment that says what it means", spec.Names[0].Name)
			return true
		}
		fmt.Fprintf(&b, "| %s | %s |\n", code.Value, meaning)
		return true
	})
	return b.String()
}

func TestEveryCommandIsDocumented(t *testing.T) {
	for _, c := range commands(testRoot()) {
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || len([]rune(c.Short)) > 80 {
			t.Errorf("%s: Short %q; want a line of at most 80 characters without a full stop", path, c.Short)
		}
		if !strings.HasPrefix(c.Example, "  tmctl") {
			t.Errorf("%s: Example %q; want lines that begin with two spaces and tmctl", path, c.Example)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && strings.TrimSpace(f.Usage) == "" {
				t.Errorf("%s --%s has no help text", path, f.Name)
			}
		})
	}
}

// What an example shows must exist: its command, and every flag of it. The README's blocks are examples too.
func TestExamplesNameRealFlags(t *testing.T) {
	root := testRoot()
	for _, c := range commands(root) {
		for line := range strings.Lines(c.Example) {
			checkExample(t, root, c.CommandPath(), line)
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, "tmctl ") && !strings.HasPrefix(line, "tmctl is ") {
			checkExample(t, root, "README.md", line)
		}
	}
}

var variable = regexp.MustCompile(`TMCTL_([A-Z]+)_([A-Z_]+)`)

// A variable that README or the unit names must be read by its command.
func TestVariablesAreReal(t *testing.T) {
	for _, page := range []string{"../README.md", "../docs/tmctl.service"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range variable.FindAllStringSubmatch(string(text), -1) {
			command := strings.ToLower(m[1])
			c, _, err := testRoot().Find([]string{command})
			flag := strings.ToLower(strings.ReplaceAll(m[2], "_", "-"))
			if err != nil || c.Flags().Lookup(flag) == nil {
				t.Errorf("%s names %s; %s has no --%s (%v)", page, m[0], command, flag, err)
			}
		}
	}
}

func checkExample(t *testing.T, root *cobra.Command, where, line string) {
	t.Helper()
	line, _, _ = strings.Cut(strings.TrimSpace(line), " |") // what follows is another program's
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "tmctl" {
		return
	}
	target, _, err := root.Find(words[1:])
	if err != nil || target == root && len(words) > 1 && !strings.HasPrefix(words[1], "-") {
		t.Errorf("%s: example %q: there is no such command (%v)", where, line, err)
		return
	}
	for _, w := range words[1:] {
		name, isFlag := strings.CutPrefix(w, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && target.Flags().Lookup(name) == nil {
			t.Errorf("%s: example %q: %s has no flag --%s", where, line, target.CommandPath(), name)
		}
	}
}
