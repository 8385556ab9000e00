package main

import (
	"strings"
	"testing"
)

// The architecture, as a test. The tables are the rules and their reasons; arch_check_test.go is how they are checked.
// docs/ARCHITECTURE.md shows the same picture to people.

// rooms says which of our packages each package may import; what is not listed is forbidden. Tests of a package may import
// the package itself and those of inTests besides. A path that ends in /* stands for every package directly below it.
var rooms = []room{
	{path: ".", may: "cmd", why: "main is one line; the program is cmd.Main"},
	{path: "cmd", may: "*", why: "cmd joins the domain packages, so it may know them all"},

	{path: "history", why: "a leaf: everyone speaks in its types, so it may know nobody"},
	{path: "history/linear", may: "history", why: "the proof takes ops and gives findings; whoever has ops can use it"},
	{path: "journal", why: "a leaf: every actor writes events, so it may know no actor"},
	{path: "honeycomb", why: "a leaf: a client of somebody's API; whoever has something to mark can use it"},
	{path: "templates", why: "embedded files only"},
	{path: "server/api", why: "a leaf: what clients may know of the server"},

	{path: "server", may: "server/api", inTests: "server/store/memory history history/linear",
		why: "the service is what is measured; it must not know who measures it, but its tests have their numbers proved"},
	{path: "server/store/storetest", may: "server server/api", inTests: "history history/linear",
		why: "the suite of all stores judges what callers saw by the same proof that load tests are judged by; it must not know a store"},
	{path: "server/store/sessions", may: "server", why: "what stores without a server of their own share"},
	{path: "server/store/*", may: "server server/api server/store/sessions", inTests: "server/store/storetest server/store/redistest", why: "a store implements server.Store; cmd chooses one"},
	{path: "loadgen", may: "history server/api", inTests: "history/linear loadgen/targettest",
		why: "it drives servers in any language, so of ours it may know the contract only; cmd joins it with the proof"},
	{path: "loadgen/targettest", may: "history server/api", why: "odd and broken servers that tests of loadgen and cmd meet"},
	{path: "monitor", may: "server/api", inTests: "server server/store/memory",
		why: "it watches servers from outside, so it may know the contract only; its tests ask a real one whether it has all that alerts are made of"},
	{path: "monitor/scenario", may: "monitor server/api", why: "what nodes might say, for whoever tries alerts; it must not know how they are sent or exported"},
	{path: "monitor/export", may: "monitor monitor/scenario templates", inTests: "server server/api server/store/memory",
		why: "it writes what monitor knows in other tools' forms; its tests ask a real server for the metrics that it names"},
	{path: "monitor/notify", may: "monitor", why: "it sends what an alert says; it must not know how one is made"},
	{path: "bench", may: "history server server/api", why: "a program of its own: it measures the binary from outside, and knows what it prints"},
	{path: "faults", inTests: "history server server/api server/store/redistest",
		why: "tests only: it knows the binary from outside, by what it prints, and nobody imports it"},
	{path: "report", may: "history templates", why: "it formats what run.json says; it neither makes nor judges runs"},
}

// owners gives every dependency its one user, so that it can be replaced by changing one package. Dependencies that are not
// listed are forbidden: adding one is a decision, and this is where it is written down.
var owners = []owner{
	{module: "github.com/spf13/cobra", by: "cmd", why: "commands are cmd's; domain packages don't know how they are called"},
	{module: "github.com/spf13/pflag", by: "cmd", why: "flags are cmd's"},
	{module: "golang.org/x/term", by: "cmd", why: "whether a terminal is there is known to Env alone"},
	{module: "github.com/tsenart/vegeta/v12", by: "loadgen", why: "an engine of loadgen; others see history.Op"},
	{module: "github.com/shirou/gopsutil/v4", by: "loadgen", why: "the generator gives evidence of its own innocence"},
	{module: "github.com/valyala/fasthttp", by: "server loadgen", why: "server: the public listener; loadgen: the codecs, never the client"},
	{module: "github.com/prometheus/client_golang", by: "server", why: "the admin plane exports the metrics"},
	{module: "github.com/HdrHistogram/hdrhistogram-go", by: "history", why: "history.Histogram is the one form of a distribution"},
	{module: "github.com/klauspost/compress", by: "history", why: "compression is a matter of the file format"},
	{module: "github.com/redis/rueidis", by: "server/store/redis", why: "the one client of Redis: it never repeats a write by itself"},
	{module: "go.etcd.io/bbolt", by: "server/store/file", why: "the file's form, and how it survives a crash, are the matter of one store"},
	{module: "github.com/Shopify/toxiproxy/v2", why: "cuts and delays connections on demand"},
	{module: "github.com/rs/zerolog", why: "toxiproxy wants a logger of it"},
	{module: "github.com/anishathalye/porcupine", why: "the oracle that our checker is compared with"},
	{module: "pgregory.net/rapid", why: "properties are tested"},
	{module: "github.com/rogpeppe/go-internal", why: "scripts are tests"},
	{module: "github.com/prometheus/client_model", by: "server", inTests: "monitor", why: "the form of a metric that client_golang makes only by its own counting"},
	{module: "go.yaml.in/yaml/v3", inTests: "monitor/export", why: "reads the compose file that we write as text"},
	{module: "github.com/prometheus/common", inTests: "server monitor", why: "reads what the admin plane exports"},
}

// imports of the standard library that need a reason.
var restricted = []owner{
	{module: "os", by: "bench cmd history journal loadgen server/store/file server/store/redis .",
		why: "the process belongs to cmd.Env; history, journal and the file store own files, loadgen describes the host, redis reads certificates"},
	{module: "os/signal", by: "bench cmd", why: "signals become a context once, in cmd.Main"},
	{module: "os/exec", by: "bench cmd", why: "demo starts serve as a child, bench what it measures; nobody else starts processes"},
	{module: "flag", by: "bench", why: "tmctl's flags are cobra's, in cmd"},
	{module: "log", why: "logs go through the *slog.Logger that cmd passes down"},
	{module: "unsafe", why: "no figure of ours needed it so far"},
}

// bans are calls and names that are forbidden outside tests, except in the files of but.
var bans = []ban{
	{uses: "fmt.Print fmt.Printf fmt.Println", why: "stdout is the answer: write to the Env.Out or io.Writer that you are given"},
	{uses: "os.Exit", but: "main.go bench/main.go", why: "below main, an exit code is returned; deferred work must run"},
	{uses: "os.Args os.Stdin os.Stdout os.Stderr os.Getenv os.LookupEnv os.Environ os.Chdir", but: "cmd/env.go bench/main.go",
		why: "cmd.Env is the process, so that a test can be another one"},
	{uses: "context.Background context.TODO", but: "cmd/tmctl.go bench/main.go", why: "a context comes from the caller, or ^C does not reach you"},
	{uses: "http.Get http.Post http.ListenAndServe http.Handle http.HandleFunc http.DefaultServeMux", why: "they have no time-outs, and what they share is everyone's"},
	{uses: "fasthttp.Client fasthttp.HostClient fasthttp.PipelineClient fasthttp.LBClient fasthttp.Do fasthttp.Get",
		why: "fasthttp's clients repeat requests in silence, and each repetition burns a number"},
}

// nouns that say nothing about what is in a package.
const vague = "util utils common helper helpers types models misc shared lib"

func TestArchitecture(t *testing.T) {
	files := parseTree(t)
	for _, f := range files {
		for _, complaint := range check(f) {
			t.Error(complaint)
		}
	}
	for _, complaint := range append(checkPackages(files), checkRooms(files)...) {
		t.Error(complaint)
	}
}

// Each rule is tried on a line that breaks it, and on one that does not.
func TestArchitectureRulesBite(t *testing.T) {
	tests := []struct{ name, path, src, want string }{
		{"a domain package importing its sibling", "loadgen/a.go", `import _ "github.com/turnomatico/tmctl/report"`, "loadgen may not import report"},
		{"a leaf importing anything", "history/a.go", `import _ "github.com/turnomatico/tmctl/server/api"`, "history may not import server/api"},
		{"cmd importing a domain package", "cmd/a.go", `import _ "github.com/turnomatico/tmctl/report"`, ""},
		{"a store importing the server", "server/store/file/a.go", `import _ "github.com/turnomatico/tmctl/server"`, ""},
		{"a store importing another", "server/store/file/a.go", `import _ "github.com/turnomatico/tmctl/server/store/redis"`, "may not import server/store/redis"},
		{"a test importing its own package", "history/a_test.go", `import _ "github.com/turnomatico/tmctl/history"`, ""},
		{"a test importing what its package may not", "report/a_test.go", `import _ "github.com/turnomatico/tmctl/loadgen"`, "report may not import loadgen"},
		{"a package for tests outside tests", "cmd/a.go", `import _ "github.com/turnomatico/tmctl/loadgen/targettest"`, "it is for tests"},
		{"a package for tests in a test", "cmd/a_test.go", `import _ "github.com/turnomatico/tmctl/loadgen/targettest"`, ""},
		{"a dependency used by another than its owner", "report/a.go", `import _ "github.com/spf13/cobra"`, "report may not import github.com/spf13/cobra"},
		{"a dependency without an owner", "cmd/a.go", `import _ "github.com/spf13/viper"`, "github.com/spf13/viper has no owner"},
		{"a module whose name begins like an allowed one", "cmd/a.go", `import _ "github.com/spf13/cobra2"`, "has no owner"},
		{"a test dependency outside tests", "history/linear/a.go", `import _ "github.com/anishathalye/porcupine"`, "history/linear may not import"},
		{"a test dependency in a test", "history/linear/a_test.go", `import _ "github.com/anishathalye/porcupine"`, ""},
		{"os where no file is", "report/a.go", `import _ "os"`, "report may not import os"},
		{"os in a test", "report/a_test.go", `import _ "os"`, ""},
		{"the standard logger", "server/a.go", `import _ "log"`, "server may not import log"},
		{"printing", "report/a.go", `import "fmt"; func f() { fmt.Println() }`, "fmt.Println"},
		{"printing under another name", "report/a.go", `import p "fmt"; func f() { p.Printf("") }`, "fmt.Printf"},
		{"a method that is called like a ban", "report/a.go", `type o struct{}; func (o) Exit() {}; func f(os o) { os.Exit() }`, ""},
		{"exiting below main", "cmd/a.go", `import "os"; func f() { os.Exit(1) }`, "os.Exit"},
		{"reading the environment beside Env", "cmd/a.go", `import "os"; var v = os.Getenv("X")`, "os.Getenv"},
		{"reading the environment in Env", "cmd/env.go", `import "os"; var v = os.Getenv("X")`, ""},
		{"a context from nowhere", "loadgen/a.go", `import "context"; var c = context.Background()`, "context.Background"},
		{"fasthttp's client", "loadgen/a.go", `import "github.com/valyala/fasthttp"; var c fasthttp.Client`, "fasthttp.Client"},
		{"init", "server/a.go", `func init() {}`, "func init"},
		{"a method named init", "server/a.go", `type s struct{}; func (s) init() {}`, ""},
	}
	for _, tt := range tests {
		got := strings.Join(check(parse(t, tt.path, "package p\n"+tt.src)), "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("check(%s) = %q; want %q", tt.name, got, tt.want)
		}
	}
}

func TestPackageRulesBite(t *testing.T) {
	said, again, silent := "// Package p is.\npackage p", "// Package p is, again.\npackage p", "package p"
	tests := []struct {
		name string
		srcs map[string]string
		want string
	}{
		{"one comment", map[string]string{"history/a.go": said, "history/b.go": silent}, ""},
		{"none", map[string]string{"history/a.go": silent, "history/b_test.go": said}, "history has no package comment"},
		{"two", map[string]string{"history/a.go": said, "history/b.go": again}, "history has 2 package comments"},
		{"one that is in no table", map[string]string{"utensils/a.go": said}, "utensils is not in the table of rooms"},
		{"a vague name", map[string]string{"cmd/util/a.go": "// Package util is.\npackage util"}, "util says nothing"},
	}
	for _, tt := range tests {
		var files []file
		for path, src := range tt.srcs {
			files = append(files, parse(t, path, src))
		}
		got := strings.Join(checkPackages(files), "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("checkPackages(%s) = %q; want %q", tt.name, got, tt.want)
		}
	}
}
