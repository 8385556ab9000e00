package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
)

const (
	// dialWithin bounds a connect, with TLS's handshake; a SYN that is lost is sent again after 1 s.
	dialWithin = 2 * time.Second
	// answerWithin bounds a command. A connection that does not answer in this time is closed: whoever asks again does so
	// over another one. A disk that is slow to fsync can take longer, and then the answer is found by the call's token.
	answerWithin = time.Second
	// bufferSize of a connection, for each direction; rueidis' own default is half a MiB.
	bufferSize = 32 << 10
)

// client makes single attempts: nothing that it does is ever done twice behind its user's back. A command has a connection
// of its own while it is under way (rueidis: DisableAutoPipelining), because
//
//   - with few commands at once that is the cheapest: the caller writes and reads itself, no goroutine hands over;
//   - a command that is not answered in time costs its own connection only, and the next attempt has a new one. In a
//     pipeline, rueidis would wait for its ping to fail, and other commands behind it would wait too.
type client struct {
	rueidis.Client
	secret string
	calls  sync.WaitGroup
}

// newClient connects; wrong credentials are noticed here.
func newClient(ctx context.Context, o Options) (*client, error) {
	secure, err := o.secure()
	if err != nil {
		return nil, err
	}
	c := &client{secret: o.Password}
	option := rueidis.ClientOption{
		InitAddress: []string{o.addr}, Username: o.user, Password: o.Password, SelectDB: o.db,
		DialCtxFn: func(ctx context.Context, addr string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return dial(ctx, dialer, o.network, addr, secure)
		},
		Dialer:           net.Dialer{Timeout: dialWithin, KeepAlive: 15 * time.Second},
		ConnWriteTimeout: answerWithin, ReadBufferEachConn: bufferSize, WriteBufferEachConn: bufferSize,
		ForceSingleClient: true, DisableRetry: true, DisableCache: true, DisableAutoPipelining: true, PipelineMultiplex: -1,
		ClientSetInfo: rueidis.DisableClientSetInfo, // managed servers may refuse it
	}
	type result struct {
		client rueidis.Client
		err    error
	}
	made := make(chan result, 1)
	go func() { // rueidis takes no context here
		r, err := rueidis.NewClient(option)
		if err != nil && r != nil {
			r.Close()
		}
		made <- result{r, err}
	}()
	select {
	case r := <-made:
		if r.err != nil {
			return nil, fmt.Errorf("connect to %s: %s", o.addr, c.words(r.err))
		}
		c.Client = r.client
		return c, nil
	case <-ctx.Done():
		go func() {
			if r := <-made; r.err == nil {
				r.client.Close()
			}
		}()
		return nil, fmt.Errorf("connect to %s: %w", o.addr, ctx.Err())
	}
}

// secure reads the certificates; nil without TLS.
func (o *Options) secure() (*tls.Config, error) {
	if !o.tls {
		return nil, nil
	}
	config := &tls.Config{ServerName: o.host, MinVersion: tls.VersionTLS12}
	if o.ca != "" {
		text, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, fmt.Errorf("read ?cacert=: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("?cacert=%s holds no certificate in PEM", o.ca)
		}
	}
	if o.cert != "" {
		mine, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, fmt.Errorf("read ?cert= and ?key=: %w", err)
		}
		config.Certificates = []tls.Certificate{mine}
	}
	return config, nil
}

// attempt is one command or pipeline under way, as dial learns of it.
type attempt struct {
	conn   *conn // what was dialled for it; nil: an open connection was used, or none could be dialled
	failed bool  // nothing could be dialled
}

type attemptKey struct{}

// sent reports whether any of it may have reached Redis, which can do it even if the connection is gone.
func (a *attempt) sent() bool {
	return !a.failed && (a.conn == nil || a.conn.asked.Load())
}

// conn notices when it is first used for more than rueidis' greeting.
type conn struct {
	net.Conn
	asked atomic.Bool
}

func dial(ctx context.Context, dialer *net.Dialer, network, addr string, secure *tls.Config) (net.Conn, error) {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	raw, err := dialSecure(ctx, dialer, network, addr, secure)
	c := &conn{Conn: raw}
	if a != nil {
		a.conn, a.failed = c, err != nil
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func dialSecure(ctx context.Context, dialer *net.Dialer, network, addr string, secure *tls.Config) (net.Conn, error) {
	if secure == nil {
		return dialer.DialContext(ctx, network, addr)
	}
	return (&tls.Dialer{NetDialer: dialer, Config: secure}).DialContext(ctx, network, addr)
}

// greetings are what rueidis begins a connection with; it sends the rest of its greeting in the same write.
var greetings = [][]byte{[]byte("\r\nHELLO\r\n"), []byte("\r\nAUTH\r\n")}

func (c *conn) Write(b []byte) (int, error) {
	if !c.asked.Load() {
		begin := b[:min(len(b), 20)] // *4\r\n$5\r\nHELLO\r\n
		if !bytes.Contains(begin, greetings[0]) && !bytes.Contains(begin, greetings[1]) {
			c.asked.Store(true)
		}
	}
	return c.Conn.Write(b)
}

// errLate says that an attempt was given up before it was answered.
var errLate = errors.New("no answer in time")

// do sends commands over one connection and returns their answers, among them errors of Redis (client.refusal). Its own
// error is [server.ErrUnavailable] if nothing was sent; after another one, what was sent may have been done, or may be
// done yet. It returns as soon as ctx ends.
func (c *client) do(ctx context.Context, commands ...rueidis.Completed) ([]rueidis.RedisResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", server.ErrUnavailable, err)
	}
	a := &attempt{}
	type outcome struct {
		results []rueidis.RedisResult
		err     error
	}
	done := make(chan outcome, 1)
	c.calls.Go(func() {
		results := c.DoMulti(context.WithValue(context.WithoutCancel(ctx), attemptKey{}, a), commands...)
		for _, r := range results {
			if err := r.NonRedisError(); err != nil {
				done <- outcome{err: c.fault(err, a.sent())}
				return
			}
		}
		done <- outcome{results: results}
	})
	select {
	case o := <-done:
		return o.results, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errLate, ctx.Err())
	}
}

// Close waits for attempts that were given up: they have their own bound.
func (c *client) Close() {
	c.calls.Wait()
	c.Client.Close()
}
