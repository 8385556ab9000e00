package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
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
	// keepAlive is how often a connection is probed, so that what lies between keeps it open.
	keepAlive = 15 * time.Second
	// bufferSize of a connection, for each direction; rueidis' own default is half a MiB.
	bufferSize = 32 << 10
)

// line is one connection and whoever uses it, one at a time. It makes single attempts: nothing that it does is ever done
// twice behind its user's back.
//
// It is a rueidis client of one connection without ping, cache and retries, which is never used by two at once. So rueidis
// stays in its synchronous mode, in which the caller writes and reads by himself. That has the least latency, for no
// goroutine hands over to another; and an attempt that is not answered costs its own connection only, so that the next has
// a new one. In rueidis' pipeline a dead connection is noticed by the next ping, and until then whoever asks again asks over
// the same one.
type line struct {
	option rueidis.ClientOption
	words  words
	old    atomic.Bool // the next attempt must have a new connection

	mu     sync.Mutex     // held by its user; guards what follows
	client rueidis.Client // nil: not yet
	now    *attempt
	conn   atomic.Pointer[conn] // the last that was dialled
}

// attempt is a use of a line.
type attempt struct {
	ctx  context.Context // its user's, which rueidis does not get (line.attempt)
	sent bool            // more than rueidis' greeting was written: Redis can do it even if the connection is lost

	mu   sync.Mutex
	over bool
}

// conn tells the attempt under way what was written, and writes nothing once it was hung up.
type conn struct {
	net.Conn
	line *line
	addr string // as it was dialled
	hung atomic.Bool
}

func newLine(o Options, secure *tls.Config) *line {
	l := &line{words: words{secret: o.Password, tls: o.tls, patience: o.patience, partition: o.partition}}
	l.option = rueidis.ClientOption{
		InitAddress: []string{o.addr}, Username: o.user, Password: o.Password, SelectDB: o.db,
		DialCtxFn: func(_ context.Context, addr string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return l.dial(o, addr, secure)
		},
		Dialer:           net.Dialer{Timeout: dialWithin, KeepAlive: -1}, // no ping
		ConnWriteTimeout: o.patience, ReadBufferEachConn: bufferSize, WriteBufferEachConn: bufferSize, RingScaleEachConn: 1,
		ForceSingleClient: true, DisableRetry: true, DisableCache: true, PipelineMultiplex: -1,
		ClientSetInfo: rueidis.DisableClientSetInfo, // managed servers may refuse it
	}
	return l
}

// dial connects for the attempt that is under way.
func (l *line) dial(o Options, addr string, secure *tls.Config) (net.Conn, error) {
	a := l.now
	ctx, cancel := context.WithTimeout(a.ctx, dialWithin)
	defer cancel()
	if o.where != nil {
		var err error
		if addr, err = o.where(ctx); err != nil {
			return nil, err
		}
	}
	raw, err := (&net.Dialer{KeepAlive: keepAlive}).DialContext(ctx, o.network, addr)
	if err == nil && secure != nil {
		if o.where != nil { // the certificate is of whoever serves now
			secure = secure.Clone()
			secure.ServerName, _, _ = net.SplitHostPort(addr)
		}
		talk := tls.Client(raw, secure)
		if err = talk.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // nothing was said on it
			err = fmt.Errorf("TLS: %w", err)
		}
		raw = talk
	}
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, line: l, addr: addr}
	l.conn.Store(c)
	if a.ctx.Err() != nil { // then cut may have come before
		_ = c.Close() // nothing was said on it
	}
	return c, nil
}

// greetings are what rueidis begins a connection with; it sends the rest of its greeting in the same write.
var greetings = [][]byte{[]byte("\r\nHELLO\r\n"), []byte("\r\nAUTH\r\n")}

func (c *conn) Write(b []byte) (int, error) {
	if c.hung.Load() {
		return 0, net.ErrClosed
	}
	if a := c.line.now; !a.sent {
		begin := b[:min(len(b), 20)] // *4\r\n$5\r\nHELLO\r\n
		a.sent = !bytes.Contains(begin, greetings[0]) && !bytes.Contains(begin, greetings[1])
	}
	return c.Conn.Write(b)
}

// Read gives the connection up at the first error. Rueidis would first ask whether it is alive, for a second.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		_ = c.Close() // err says more
	}
	return n, err
}

// Close hangs up; whoever reads gets an error.
func (c *conn) Close() error {
	c.hung.Store(true)
	return c.Conn.Close()
}

// cut ends an attempt that is under way.
func (l *line) cut(a *attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := l.conn.Load(); c != nil && !a.over {
		_ = c.Close() // the attempt has another error
	}
}

// open connects.
func (l *line) open(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.attempt(ctx, func(context.Context) []rueidis.RedisResult { return nil })
	return err
}

// do sends commands and returns their answers, among them errors of Redis (words.refusal). Its own error is
// [server.ErrUnavailable] if nothing was sent; after another one, what was sent may have been done, or may be done yet. It
// returns soon after ctx ends.
func (l *line) do(ctx context.Context, commands ...rueidis.Completed) ([]rueidis.RedisResult, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.attempt(ctx, func(ctx context.Context) []rueidis.RedisResult {
		if len(commands) == 1 {
			return []rueidis.RedisResult{l.client.Do(ctx, commands[0])}
		}
		return l.client.DoMulti(ctx, commands...)
	})
}

// attempt runs ask on an open line. Rueidis gets a context that does not end, since one that can end takes it out of its
// synchronous mode; instead the connection is closed under it. Under mu.
func (l *line) attempt(ctx context.Context, ask func(context.Context) []rueidis.RedisResult) ([]rueidis.RedisResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", server.ErrUnavailable, err)
	}
	a := &attempt{ctx: ctx}
	l.now = a
	if l.old.Swap(false) && l.client != nil && !l.conn.Load().hung.Load() {
		_ = l.conn.Load().Close() // it is not needed any more
		l.forget(ctx)
	}
	stop := context.AfterFunc(ctx, func() { l.cut(a) })
	results, err := l.run(a, ask)
	if !stop() {
		a.mu.Lock()
		a.over = true
		a.mu.Unlock()
	}
	if err == nil && l.conn.Load().hung.Load() { // just after the answer
		l.forget(ctx)
	}
	return results, err
}

// forget has rueidis notice that its connection was hung up: now, rather than in the next attempt. Nothing is sent.
func (l *line) forget(ctx context.Context) {
	l.client.Do(context.WithoutCancel(ctx), l.client.B().Ping().Build())
}

// run does the work of an attempt.
func (l *line) run(a *attempt, ask func(context.Context) []rueidis.RedisResult) ([]rueidis.RedisResult, error) {
	if l.client == nil {
		client, err := rueidis.NewClient(l.option)
		if err != nil {
			if client != nil {
				client.Close()
			}
			return nil, l.words.fault(a, err)
		}
		l.client = client
	}
	results := ask(context.WithoutCancel(a.ctx))
	for _, r := range results {
		if err := r.NonRedisError(); err != nil {
			return nil, l.words.fault(a, err)
		}
		if err := r.Error(); err != nil && elsewhere[codeOf(err.Error())] {
			l.old.Store(true)
		}
	}
	return results, nil
}

// close ends the line. Rueidis would wait for an answer first.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != nil {
		_ = l.conn.Load().Close() // nobody waits for an answer
		l.client.Close()
	}
}
