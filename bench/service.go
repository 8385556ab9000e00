package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// service is a server that runs until it is stopped.
type service struct {
	url    string // of the one id that peers ask for
	admin  string // of the admin plane; ours alone has one
	cmd    *exec.Cmd
	cancel context.CancelFunc
	ended  chan struct{}
}

// cpu is the CPU time that it has used so far.
func (s *service) cpu() (time.Duration, error) { return cpuOf(s.cmd.Process.Pid) }

// stop ends it, and whatever of its group is left if it had to be killed: nginx's workers outlive a killed master.
func (s *service) stop() {
	s.cancel()
	<-s.ended
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // errs when nothing is left
	}
}

// ids is its URL for a loader that makes its own.
func (s *service) ids() string { return strings.TrimSuffix(s.url, serviceID) + "{id}" }

// serviceID is the id that wrk, vegeta and nginx know; tmctl load makes fresh ones.
const serviceID = "bench"

// serve starts `tmctl serve` on a free port.
func (b *bench) serve(ctx context.Context, flags ...string) (*service, error) {
	return b.serveUnder(ctx, nil, flags...)
}

// serveUnder starts it by another command.
func (b *bench) serveUnder(ctx context.Context, under []string, flags ...string) (*service, error) {
	ctx, cancel := context.WithCancel(ctx)
	argv := []string{b.tools.tmctl, "serve", "--addr", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format", "json", "--drain", "0s"}
	cmd := newProcess(ctx, slices.Concat(under, argv, flags))
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start tmctl serve: %w", err)
	}
	s := &service{cmd: cmd, cancel: cancel, ended: make(chan struct{})}
	addrs := make(chan addresses, 1)
	go func() {
		defer close(s.ended)
		defer close(addrs)
		last := follow(log, addrs)
		if err := cmd.Wait(); err != nil && ctx.Err() == nil {
			b.note("tmctl serve ended by itself: %v: %s", err, last)
		}
	}()
	got, ok := <-addrs // closed when it ends, and it ends when ctx is over
	if !ok {
		s.stop()
		return nil, fmt.Errorf("tmctl serve did not listen")
	}
	s.url, s.admin = "http://"+got.Addr+"/turno/"+serviceID, "http://"+got.Admin
	return s, nil
}

// addresses are those of a server's listeners, as its log names them.
type addresses struct{ Addr, Admin string }

// follow reads a JSON log to its end, and sends the addresses of the listeners. It returns the last line.
func follow(log io.Reader, addrs chan<- addresses) (last string) {
	for lines := bufio.NewScanner(log); lines.Scan(); {
		last = lines.Text()
		var line struct {
			Msg string
			addresses
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == server.ListeningMessage {
			select {
			case addrs <- line.addresses:
			default: // said twice
			}
		}
	}
	return last
}

// nginxConf answers a constant. It asks for no more of nginx than `tmctl serve` is asked for: no log of requests, keep-alive
// without end, as many workers as wrk has threads.
const nginxConf = `daemon off;
worker_processes 2;
pid DIR/nginx.pid;
error_log DIR/nginx.log error;
events { worker_connections 1024; }
http {
	access_log off;
	default_type application/json;
	keepalive_requests 1000000000;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	server {
		listen ADDR;
		location / { return 200 'BODY'; }
	}
}
`

// constant starts nginx with an answer that never changes.
func (b *bench) constant(ctx context.Context, body string) (*service, error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "nginx")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "nginx.conf")
	conf := strings.NewReplacer("DIR", dir, "ADDR", addr, "BODY", body).Replace(nginxConf)
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := newProcess(ctx, []string{b.tools.nginx, "-p", dir, "-c", path, "-e", filepath.Join(dir, "nginx.log")})
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	s := &service{url: "http://" + addr + "/turno/" + serviceID, cmd: cmd, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		_ = cmd.Wait() // why it ended is in its log; that it did is seen by whoever asks it
	}()
	if err := s.answers(ctx); err != nil {
		s.stop()
		log, _ := os.ReadFile(filepath.Join(dir, "nginx.log"))
		return nil, fmt.Errorf("nginx does not answer: %w: %s", err, lastLine(string(log)))
	}
	return s, nil
}

// answers waits until the service takes connections.
func (s *service) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for {
		_, err := ask(ctx, s.url)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return err
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// listens waits until something takes connections at addr.
func (s *service) listens(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-s.ended:
			return err
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// cpuOfAll is the CPU time that services have used so far, together.
func cpuOfAll(all []*service) (sum time.Duration, err error) {
	for _, s := range all {
		one, err := s.cpu()
		if err != nil {
			return 0, err
		}
		sum += one
	}
	return sum, nil
}

// snapshot is what the admin plane says.
func (s *service) snapshot(ctx context.Context) (snapshot api.Snapshot, err error) {
	body, err := ask(ctx, s.admin+api.SnapshotPath)
	if err != nil {
		return snapshot, err
	}
	return snapshot, json.Unmarshal(body, &snapshot)
}

// freeAddr is an address that was free a moment ago: nginx can't say which port it got.
func freeAddr(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ask makes one request.
func ask(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return body, err
}

// taken is the number that the service hands out now; the difference of two, less one, is the requests between them.
func (s *service) taken(ctx context.Context) (uint64, error) {
	body, err := ask(ctx, s.url)
	if err != nil {
		return 0, err
	}
	var answer struct{ Turno uint64 }
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("%s: %w", s.url, err)
	}
	return answer.Turno, nil
}
