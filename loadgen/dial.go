package loadgen

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// connect makes sure that the connection stands, within the timeout of a request that began at call.
func (c *conn) connect(ctx context.Context, call time.Duration) error {
	if c.nc != nil && call-c.used > staleAfter && !alive(c.nc) {
		c.close()
	}
	if c.nc != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.run.plan.Timeout)
	defer cancel()
	nc, err := dial(ctx, c.addr, c.run.plan.tls)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.nc = nc
	if c.expired != history.NoReason { // it ran out while the old connection was being replaced
		_ = nc.SetDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
	if c.br == nil {
		c.br = bufio.NewReaderSize(nc, maxHeader)
	}
	c.br.Reset(nc)
	return nil
}

// dial opens one connection; config nil means plain TCP.
func dial(ctx context.Context, addr string, config *tls.Config) (net.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil || config == nil {
		return nc, err
	}
	tc := tls.Client(nc, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = nc.Close() // the handshake's error says more
		return nil, err
	}
	return tc, nil
}

// resolve finds the address of host:port that answers, so that a run does not ask DNS again and a target that is not
// there is said so before any load is sent.
func resolve(ctx context.Context, hostport string, config *tls.Config, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", hostport, err)
	}
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", &UnreachableError{Addr: hostport, Hint: "is the host name right?", Err: err}
	}
	var last error
	for _, ip := range ips {
		addr := net.JoinHostPort(ip, port)
		nc, err := dial(ctx, addr, config)
		if err == nil {
			return addr, nc.Close()
		}
		last = err
	}
	return "", &UnreachableError{Addr: hostport, Hint: dialHint(last), Err: last}
}

// UnreachableError is returned when the target could not be reached before the run; Hint says what to look at.
type UnreachableError struct {
	Addr, Hint string
	Err        error
}

func (e *UnreachableError) Error() string { return fmt.Sprintf("can't reach %s: %v", e.Addr, e.Err) }

func (e *UnreachableError) Unwrap() error { return e.Err }

func dialHint(err error) string {
	var unknown *tls.CertificateVerificationError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there; start the server (for example: tmctl serve), or check the port"
	case errors.As(err, &unknown):
		return "give its authority with --cacert FILE, or --insecure to skip the check"
	case strings.Contains(fmt.Sprint(err), "first record does not look like a TLS handshake"):
		return "the target speaks plain http: use http:// instead of https://"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer within --timeout; is the address right, and does a firewall drop it?"
	default:
		return "check the target's address"
	}
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
