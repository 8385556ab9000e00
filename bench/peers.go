package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// daemon starts an installed program that runs until it is stopped, and waits until url answers; "" for one without HTTP.
func (b *bench) daemon(ctx context.Context, name, url string, argv ...string) (*service, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := newProcess(ctx, argv)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s := &service{url: url, cmd: cmd, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		_ = cmd.Wait() // that it ended is seen by whoever asks it
	}()
	return s, nil
}

// redis starts a redis-server without persistence on a free port: it is the same for everyone who is measured on it.
func (b *bench) redis(ctx context.Context) (s *service, addr string, err error) {
	if addr, err = freeAddr(ctx); err != nil {
		return nil, "", err
	}
	host, port, _ := net.SplitHostPort(addr) // freeAddr made it
	s, err = b.daemon(ctx, "redis-server", "", b.tools.redis, "--bind", host, "--port", port, "--save", "", "--appendonly", "no",
		"--logfile", "redis.log")
	if err != nil {
		return nil, "", err
	}
	if err := s.listens(ctx, addr); err != nil {
		s.stop()
		return nil, "", fmt.Errorf("redis-server does not listen: %w", err)
	}
	return s, addr, nil
}

// webdis starts webdis on a Redis, as Debian configures it but for addresses, log and daemon. Its turn is GET /INCR/key.
func (b *bench) webdis(ctx context.Context, redis string) (*service, error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	config := map[string]any{"threads": 2, "daemonize": false, "database": 0, "verbosity": 0, "logfile": filepath.Join(b.dir, "webdis.log"),
		"acl": []any{map[string]any{"disabled": []string{"DEBUG"}}}}
	for name, addr := range map[string]string{"redis": redis, "http": addr} {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		config[name+"_host"] = host
		config[name+"_port"], _ = strconv.Atoi(port) // digits, of a listener
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.dir, "webdis.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return nil, err
	}
	s, err := b.daemon(ctx, "webdis", "http://"+addr+"/INCR/webdis", b.tools.webdis, path)
	if err != nil {
		return nil, err
	}
	if err := s.answers(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("webdis does not answer: %w", err)
	}
	return s, nil
}
