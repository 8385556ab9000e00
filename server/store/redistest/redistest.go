// Package redistest starts real redis-server processes for tests, and breaks them. Start with [Start].
package redistest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say how a server is set up. The zero value is a server on a free port that keeps nothing on disk.
type Options struct {
	Dir         string   // where its files are; empty: a directory of the test
	Unix        bool     // listen on a Unix socket instead of a port
	TLS         bool     // speak TLS, with certificates made for this server
	ClientCerts bool     // with TLS: ask clients for a certificate, too
	Password    string   // of the default user
	Fsync       string   // of the append-only file: always, everysec, no; empty: there is no such file
	Clock       bool     // its wall clock can be set (Server.SetClock); takes a C compiler
	Config      []string // more lines of redis.conf: "maxmemory 10mb", "user a on >secret ~turno:* +@all"

	sentinel    bool   // it is one
	keepsConfig bool   // what it is told to be is written down, for its next life
	cluster     bool   // it is a node of one
	certs       *Certs // with TLS: another server's
}

// Server is a redis-server process, which ends with its test.
type Server struct {
	Host, Port string // empty with Options.Unix
	Socket     string // empty without
	Certs      Certs  // with Options.TLS

	t       testing.TB
	dir     string
	options Options
	told    bool   // its configuration is in a file (keepsConfig)
	bus     string // the port on which nodes of a cluster talk

	mu  sync.Mutex
	run *process
}

// process is one life of a server.
type process struct {
	cmd   *exec.Cmd
	log   *bytes.Buffer // complete once ended is closed
	ended chan struct{}
}

// readyWithin bounds how long a server may take to answer; loading a dataset is part of it.
const readyWithin = 20 * time.Second

// Start starts a server and returns when it answers. Without redis-server the test is skipped, but in CI it fails.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	need(t)
	s := &Server{t: t, dir: o.Dir, options: o}
	if s.dir == "" {
		s.dir = shortDir(t)
	}
	switch {
	case o.certs != nil:
		s.Certs = *o.certs
	case o.TLS:
		s.Certs = makeCerts(t, s.dir)
	}
	t.Cleanup(s.Kill)
	if o.Clock {
		s.makeClock()
	}
	if o.Unix {
		s.Socket = filepath.Join(s.dir, "redis.sock")
		s.start(s.mustLaunch())
		return s
	}
	s.Host = "127.0.0.1"
	for range 20 { // another process may take the port between our look and Redis' bind
		s.Port, s.bus, s.told = freePort(t), freePort(t), false
		p := s.mustLaunch()
		if err := s.ready(p); err == nil {
			return s
		} else if !errors.Is(err, errPortTaken) {
			t.Fatal(err)
		}
	}
	t.Fatal("redis-server found no free port")
	return nil
}

// need skips the test, or fails it in CI, when there is no redis-server.
func need(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		return
	}
	const missing = "there is no redis-server: apt-get install redis-server"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}

// shortDir is a directory of the test whose path fits into a Unix socket's address, which t.TempDir's may not.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// config is the server's redis.conf.
func (s *Server) config() string {
	lines := []string{
		"dir " + s.dir, "daemonize no", "save \"\"", "databases 16", "loglevel notice",
		// What is torn at a restart is repaired, as most operators have it.
		"aof-load-truncated yes",
	}
	port := s.Port
	switch {
	case s.Socket != "":
		lines = append(lines, "port 0", "unixsocket "+s.Socket, "unixsocketperm 700")
	case s.options.TLS:
		clients := "no"
		if s.options.ClientCerts {
			clients = "yes"
		}
		lines = append(lines, "bind 127.0.0.1", "port 0", "tls-port "+port, "tls-auth-clients "+clients,
			"tls-cert-file "+s.Certs.Server, "tls-key-file "+s.Certs.ServerKey, "tls-ca-cert-file "+s.Certs.CA)
	default:
		lines = append(lines, "bind 127.0.0.1", "port "+port)
	}
	if s.options.Password != "" {
		lines = append(lines, fmt.Sprintf("requirepass %q", s.options.Password))
	}
	if s.options.Fsync != "" {
		lines = append(lines, "appendonly yes", "appendfsync "+s.options.Fsync)
	}
	if s.options.cluster {
		lines = append(lines, s.clusterConfig()...)
	}
	return strings.Join(append(lines, s.options.Config...), "\n") + "\n"
}

// mustLaunch starts the process, which may not answer yet.
func (s *Server) mustLaunch() *process {
	s.t.Helper()
	p := &process{log: &bytes.Buffer{}, ended: make(chan struct{})}
	p.cmd = s.command()
	if s.options.Clock {
		s.withClock(p.cmd)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := startChild(p.cmd); err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in the log
		close(p.ended)
	}()
	s.mu.Lock()
	s.run = p
	s.mu.Unlock()
	return p
}

// command runs the server: with a configuration that it reads and forgets, or one in a file that it may write anew.
func (s *Server) command() *exec.Cmd {
	if !s.options.keepsConfig {
		c := exec.Command("redis-server", "-")
		c.Stdin = strings.NewReader(s.config())
		return c
	}
	file := filepath.Join(s.dir, "redis.conf")
	if !s.told {
		if err := os.WriteFile(file, []byte(s.config()), 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.told = true
	}
	args := []string{file}
	if s.options.sentinel {
		args = append(args, "--sentinel")
	}
	return exec.Command("redis-server", args...)
}

// start waits for a launched server.
func (s *Server) start(p *process) {
	s.t.Helper()
	if err := s.ready(p); err != nil {
		s.t.Fatal(err)
	}
}

// errPortTaken says that another process has the port.
var errPortTaken = errors.New("the port is taken")

// ready asks until the server answers.
func (s *Server) ready(p *process) error {
	deadline := time.NewTimer(readyWithin)
	defer deadline.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		_, err := s.ask("PING")
		if r := refusal(""); err == nil || errors.As(err, &r) && !strings.HasPrefix(string(r), "LOADING") {
			return nil
		}
		select {
		case <-p.ended:
			if strings.Contains(p.log.String(), "Address already in use") {
				return errPortTaken
			}
			return fmt.Errorf("redis-server ended:\n%s", p.log)
		case <-deadline.C:
			s.Kill()
			return fmt.Errorf("redis-server does not answer within %s (%v):\n%s", readyWithin, err, p.log)
		case <-again.C:
		}
	}
}

// URL is how a store is told of the server, without a password.
func (s *Server) URL() string {
	switch {
	case s.Socket != "":
		return "redis+unix://" + s.Socket
	case s.options.TLS:
		return "rediss://" + s.Addr() + "?cacert=" + url.QueryEscape(s.Certs.CA)
	default:
		return "redis://" + s.Addr()
	}
}

// Addr is where the server listens: host:port, or the path of its socket.
func (s *Server) Addr() string {
	if s.Socket != "" {
		return s.Socket
	}
	return net.JoinHostPort(s.Host, s.Port)
}

// Dir is where the server keeps its files.
func (s *Server) Dir() string { return s.dir }

// PID is the running process's.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run.cmd.Process.Pid
}
