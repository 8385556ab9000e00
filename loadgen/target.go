package loadgen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/turnomatico/tmctl/server/api"
)

// idPlaceholder stands for the id in a target.
const idPlaceholder = "{id}"

// Target is where the hits go: a URL with {id} in it.
type Target struct {
	url  string // with {id}
	host string // host:port to dial
	name string // host alone, for TLS
	tls  bool
}

// ParseTarget reads a target. A bare host ("localhost:7017") means http and /turno/{id}. Where the URL has no {id}, its
// last path segment is the id: it is returned, and replaced by {id}.
func ParseTarget(s string) (t Target, id string, err error) {
	if s == "" {
		return t, "", fmt.Errorf("no target")
	}
	full := s
	if !strings.Contains(s, "://") {
		full = "http://" + s
	}
	u, err := url.Parse(full)
	if err != nil {
		var parse *url.Error
		errors.As(err, &parse) // Parse returns no other; its text would show a password in the URL
		return t, "", fmt.Errorf("target is not a URL: %w", parse.Err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return t, "", fmt.Errorf("target %q: scheme %q is not http or https", s, u.Scheme)
	}
	if u.Hostname() == "" {
		return t, "", fmt.Errorf("target %q has no host", s)
	}
	if u.User != nil {
		return t, "", fmt.Errorf("target %q: a user in the URL is not sent; use --header", u.Redacted())
	}
	t = Target{name: u.Hostname(), tls: u.Scheme == "https"}
	t.host = net.JoinHostPort(u.Hostname(), portOf(u))
	if id, err = placeID(u); err != nil {
		return t, "", fmt.Errorf("target %q: %w", s, err)
	}
	t.url = u.Scheme + "://" + u.Host + rawPath(u)
	return t, id, nil
}

// placeID makes sure that u holds {id}.
func placeID(u *url.URL) (id string, err error) {
	if strings.Contains(u.Path, idPlaceholder) || strings.Contains(u.RawQuery, idPlaceholder) {
		return "", nil
	}
	if u.Path == "" || u.Path == "/" {
		u.Path, u.RawPath = api.TurnoPath+idPlaceholder, ""
		return "", nil
	}
	cut := strings.LastIndexByte(u.Path, '/') + 1
	if id = u.Path[cut:]; !api.ValidID(id) {
		return "", fmt.Errorf("no {id}, and its last segment %q is not an id ([A-Za-z0-9._-], 1 to 64 of them)", id)
	}
	u.Path, u.RawPath = u.Path[:cut]+idPlaceholder, ""
	return id, nil
}

// rawPath is path and query as they are sent, with {id} left readable.
func rawPath(u *url.URL) string {
	p := strings.ReplaceAll(u.EscapedPath(), url.PathEscape(idPlaceholder), idPlaceholder)
	if u.RawQuery != "" {
		p += "?" + u.RawQuery
	}
	return p
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// String is the URL with {id}.
func (t Target) String() string { return t.url }

// Host is the host:port that is dialled where no --connect-to is given.
func (t Target) Host() string { return t.host }

// URL is where id's numbers come from.
func (t Target) URL(id string) string { return strings.ReplaceAll(t.url, idPlaceholder, id) }

// tlsConfig completes base for the target's name; nil for plain http.
func (t Target) tlsConfig(base *tls.Config) *tls.Config {
	if !t.tls {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		c = base.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = t.name
	}
	c.NextProtos = []string{"http/1.1"}
	c.ClientSessionCache = tls.NewLRUClientSessionCache(256)
	return c
}

// request renders the bytes of one request for id, once, so that sending it is one write.
func (t Target) request(method, id string, headers []string) ([]byte, error) {
	u, err := url.Parse(t.URL(id))
	if err != nil {
		return nil, err
	}
	var req fasthttp.RequestHeader
	req.SetMethod(method)
	req.SetUserAgent("tmctl")
	req.SetHost(u.Host)
	req.SetRequestURI(u.RequestURI())
	if method != fasthttp.MethodGet {
		req.SetContentLength(0)
	}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return nil, fmt.Errorf("header %q: want Name: value", RedactHeader(h))
		}
		if strings.EqualFold(name, "Host") {
			req.SetHost(value)
			continue
		}
		req.Set(name, value)
	}
	return req.AppendBytes(nil), nil
}
