package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
)

// client is the connections of a node: a line for each slot, and one for all else.
type client struct {
	desk  *line
	slots [slots]*line
	build rueidis.Builder
}

// B begins a command.
func (c *client) B() rueidis.Builder { return c.build }

// newClient connects the desk, so that a wrong address and wrong credentials are noticed; the others connect when used.
func newClient(ctx context.Context, o Options) (*client, error) {
	secure, err := o.secure()
	if err != nil {
		return nil, err
	}
	c := &client{desk: newLine(o, secure)}
	for i := range c.slots {
		c.slots[i] = newLine(o, secure)
	}
	if err := c.desk.open(ctx); err != nil {
		c.close()
		return nil, fmt.Errorf("connect to %s: %w", o.addr, err)
	}
	c.build = c.desk.client.B()
	return c, nil
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

// do sends commands over the desk's line.
func (c *client) do(ctx context.Context, commands ...rueidis.Completed) ([]rueidis.RedisResult, error) {
	return c.desk.do(ctx, commands...)
}

// ask is do for commands that only look, so that they may be sent twice: the first attempt may find a dead connection.
func (c *client) ask(ctx context.Context, commands ...rueidis.Completed) ([]rueidis.RedisResult, error) {
	answers, err := c.do(ctx, commands...)
	if err == nil || ctx.Err() != nil || errors.Is(err, server.ErrUnavailable) {
		return answers, err
	}
	return c.do(ctx, commands...)
}

// refusal is the error for one that Redis, or something before it, answered.
func (c *client) refusal(err error) error { return c.desk.words.refusal(err) }

// texts reads an answer of n strings.
func (c *client) texts(answer rueidis.RedisResult, n int) ([]string, error) {
	texts, err := answer.AsStrSlice()
	if err != nil {
		return nil, c.refusal(err)
	}
	if len(texts) != n {
		return nil, fmt.Errorf("redis answered %q", texts)
	}
	return texts, nil
}

// renew has all that comes go over new connections: to whatever is at the address now.
func (c *client) renew() {
	c.desk.old.Store(true)
	for _, l := range c.slots {
		l.old.Store(true)
	}
}

func (c *client) close() {
	c.desk.close()
	for _, l := range c.slots {
		l.close()
	}
}
