package redistest

import (
	_ "embed" // the clock
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed testdata/clock.c
var clockSource []byte

// SetClock puts the wall clock of a server with Options.Clock ahead of the machine's, or with a negative d behind it, in whole
// seconds. Processes go on, and their monotonic clocks are left alone.
func (s *Server) SetClock(d time.Duration) {
	s.t.Helper()
	f, err := os.OpenFile(s.clock(), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(d/time.Second)), 0); err != nil { // in one piece, so at once
		s.t.Fatal(err)
	}
}

func (s *Server) clock() string { return filepath.Join(s.dir, "clock") }

// makeClock compiles what a server with a clock of its own is started with.
func (s *Server) makeClock() {
	s.t.Helper()
	compiler := ""
	for _, name := range []string{"cc", "gcc", "clang"} {
		if path, err := exec.LookPath(name); err == nil {
			compiler = path
			break
		}
	}
	if compiler == "" {
		const missing = "there is no C compiler: apt-get install gcc libc6-dev"
		if os.Getenv("CI") == "true" {
			s.t.Fatal(missing)
		}
		s.t.Skip(missing)
	}
	source := filepath.Join(s.dir, "clock.c")
	if err := os.WriteFile(source, clockSource, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-O1", "-o", s.clock()+".so", source).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", compiler, err, out)
	}
	s.SetClock(0)
}

// withClock has a server's process ask its own clock.
func (s *Server) withClock(c *exec.Cmd) {
	c.Env = append(os.Environ(), "LD_PRELOAD="+s.clock()+".so", "REDISTEST_CLOCK="+s.clock())
}
