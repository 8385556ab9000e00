// Package honeycomb draws markers on Honeycomb's graphs, by its HTTP API (docs.honeycomb.io/api/markers). Start with [Client].
package honeycomb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Endpoints are where Honeycomb is, by region.
var Endpoints = map[string]string{"us": "https://api.honeycomb.io", "eu": "https://api.eu1.honeycomb.io"}

// Everywhere is the dataset that stands for all of an environment.
const Everywhere = "__all__"

// attempts bounds how often a marker is sent: again only when Honeycomb says that it did not take it (429, 503).
const attempts = 3

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// Marker is a line on a graph, or a stripe if it has an end.
type Marker struct {
	Message    string
	Type       string // markers of one type have one colour
	URL        string // where a click on it leads; may be empty
	Start, End time.Time
}

// Made is a marker as Honeycomb keeps it.
type Made struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Message   string `json:"message"`
	URL       string `json:"url,omitempty"`
	StartTime int64  `json:"start_time"` // Unix seconds
	EndTime   int64  `json:"end_time,omitempty"`
	CreatedAt string `json:"created_at"`
}

// Client speaks to one endpoint with one key, which is in no error. Its requests go nowhere but to URL.
type Client struct {
	URL  string // an Endpoint, or a stand-in's
	Key  string // a configuration key with the permission to manage markers
	HTTP http.RoundTripper
	Wait func(ctx context.Context, d time.Duration) error // before it is tried again; it returns early with ctx
}

// StatusError is an answer that is not the marker.
type StatusError struct {
	Status int
	Says   string        // why, as far as Honeycomb told; may be empty
	After  time.Duration // when to try again, if it told
}

func (e *StatusError) Error() string {
	said := strconv.Itoa(e.Status)
	if text := http.StatusText(e.Status); text != "" {
		said += " " + text
	}
	if e.Says != "" {
		said += ": " + e.Says
	}
	if e.After > 0 {
		said += fmt.Sprintf(" (try again in %s)", e.After)
	}
	return "honeycomb answers " + said
}

// CheckURL refuses an endpoint that the key must not be sent to: it would go over the network for all to read.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("want https://host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("want no more than https://host")
	case u.Scheme == "http" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1":
		return errors.New("the key would go over the network unencrypted: want https")
	}
	return nil
}

// CheckKey refuses what can't be a key. It does not say what it is.
func CheckKey(key string) error {
	for _, c := range key {
		if c <= ' ' || c > '~' {
			return errors.New("it holds a space or a character that no key has")
		}
	}
	return nil
}

// Mark makes a marker. An error that is no StatusError says nothing about whether it was made, unless the connection failed.
func (c *Client) Mark(ctx context.Context, dataset string, m Marker) (*Made, error) {
	body, err := json.Marshal(m.wire())
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		made, err := c.post(ctx, dataset, body)
		var refused *StatusError
		if !errors.As(err, &refused) || attempt == attempts ||
			refused.Status != http.StatusTooManyRequests && refused.Status != http.StatusServiceUnavailable {
			return made, err
		}
		pause := max(refused.After, time.Duration(attempt)*time.Second)
		if until, ok := ctx.Deadline(); ok && time.Until(until) < pause {
			return nil, err
		}
		if c.Wait(ctx, pause) != nil {
			return nil, err
		}
	}
}

// wire is m as the API takes it.
func (m *Marker) wire() map[string]any {
	w := map[string]any{"message": m.Message, "type": m.Type}
	if m.URL != "" {
		w["url"] = m.URL
	}
	if !m.Start.IsZero() {
		w["start_time"] = m.Start.Unix()
	}
	if !m.End.IsZero() {
		w["end_time"] = m.End.Unix()
	}
	return w
}

func (c *Client) post(ctx context.Context, dataset string, body []byte) (*Made, error) {
	to := strings.TrimRight(c.URL, "/") + "/1/markers/" + url.PathEscape(dataset)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, c.hide(err)
	}
	req.Header.Set("X-Honeycomb-Team", c.Key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "tmctl")
	resp, err := c.HTTP.RoundTrip(req) // follows no redirect: the key is for this host alone
	if err != nil {
		return nil, c.hide(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, c.hide(err)
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		return nil, &StatusError{resp.StatusCode, c.reason(answer), retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	}
	made := new(Made)
	if err := json.Unmarshal(answer, made); err != nil || made.ID == "" {
		return nil, &StatusError{Status: resp.StatusCode, Says: "but what came with it is no marker"}
	}
	return made, nil
}

// hiddenError is an error without the key in its words.
type hiddenError struct {
	error
	says string
}

func (e *hiddenError) Error() string { return e.says }
func (e *hiddenError) Unwrap() error { return e.error }

func (c *Client) hide(err error) error { return &hiddenError{err, c.hidden(err.Error())} }

func (c *Client) hidden(s string) string {
	if c.Key == "" {
		return s
	}
	return strings.ReplaceAll(s, c.Key, "…")
}

// maxReason bounds what is passed on of an answer, in bytes.
const maxReason = 300

// reason is what an answer says is wrong.
func (c *Client) reason(answer []byte) string {
	var e struct{ Error, Title, Detail string }
	_ = json.Unmarshal(answer, &e) // a proxy's page says nothing to be passed on
	for _, said := range []string{e.Error, e.Detail, e.Title} {
		if said = strings.Join(strings.Fields(c.hidden(said)), " "); said != "" {
			return strings.ToValidUTF8(said[:min(len(said), maxReason)], "")
		}
	}
	return ""
}

// retryAfter reads Retry-After (RFC 9110 §10.2.3): seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0).Round(time.Second)
	}
	return 0
}
