package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// tools are the programs that take part; "" is one that is not here.
type tools struct {
	tmctl, vegeta string // built here

	wrk, nginx, redis, redisBenchmark, webdis string // installed
}

const (
	ourPackage    = "github.com/turnomatico/tmctl"
	vegetaPackage = "github.com/tsenart/vegeta/v12"
)

// build makes the programs that are made, and looks for those that are installed.
func (b *bench) build(ctx context.Context) error {
	for _, p := range []struct {
		name, path string
		to         *string
	}{{"tmctl", ourPackage, &b.tools.tmctl}, {"vegeta", vegetaPackage, &b.tools.vegeta}} {
		*p.to = filepath.Join(b.dir, p.name)
		b.say("building %s", p.path)
		if _, err := do(ctx, command{argv: []string{"go", "build", "-buildvcs=auto", "-o", *p.to, p.path}}); err != nil {
			return fmt.Errorf("build %s: %w", p.path, err)
		}
	}
	for _, t := range b.installed() {
		*t.path = b.find(t.name, t.debian)
	}
	return nil
}

// installed are the programs that are looked for.
func (b *bench) installed() []tool {
	t := &b.tools
	return []tool{{"wrk", "wrk", &t.wrk}, {"nginx", "nginx", &t.nginx}, {"redis-server", "redis-server", &t.redis},
		{"redis-benchmark", "redis-tools", &t.redisBenchmark}, {"webdis", "webdis", &t.webdis}}
}

// tool is a program, the Debian package that has it, and where its path goes.
type tool struct {
	name, debian string
	path         *string
}

// has reports whether all these programs are here.
func (b *bench) has(names ...string) bool {
	for _, t := range b.installed() {
		if slices.Contains(names, t.name) && *t.path == "" {
			return false
		}
	}
	return true
}

// find looks for an installed program; what is missing is skipped by name. Debian keeps nginx where users don't look.
func (b *bench) find(name, debian string) string {
	for _, candidate := range []string{name, filepath.Join("/usr/sbin", name)} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	b.note("%s is not installed: what is compared with it is skipped (Debian: apt-get install %s)", name, debian)
	return ""
}

// version is what an installed program says of itself.
func version(ctx context.Context, path string) string {
	if path == "" {
		return "not installed"
	}
	out, _ := exec.CommandContext(ctx, path, "-v").CombinedOutput() // wrk ends with 1 after it
	line, _, _ := strings.Cut(string(out), "\n")
	line, _, _ = strings.Cut(line, " Copyright")
	line, _, _ = strings.Cut(line, " sha=")
	line = strings.TrimPrefix(strings.TrimPrefix(line, "nginx version: "), filepath.Base(path)+" ")
	return strings.TrimPrefix(strings.TrimSpace(line), "nginx/")
}

// moduleVersion is the version of a module in a program that Go built.
func moduleVersion(path, module string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for _, d := range append(info.Deps, &info.Main) {
		if d.Path == module {
			return d.Version
		}
	}
	return "unknown"
}

// commitOf is the commit that a program was built from.
func commitOf(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	revision := setting(info, "vcs.revision")
	if revision == "" {
		return "unknown"
	}
	if setting(info, "vcs.modified") == "true" {
		return revision[:min(12, len(revision))] + " with changes"
	}
	return revision[:min(12, len(revision))]
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// size of a file in bytes; 0 when it can't be read.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
