package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// DefaultTimeout bounds how long a node may take to answer.
const DefaultTimeout = 2 * time.Second

// maxSnapshot bounds what is read of a snapshot, in bytes: a node that declares all the ranges it can has 3 MB to say.
const maxSnapshot = 8 << 20

// Scraper asks nodes. Make one with [NewScraper].
type Scraper struct {
	admins  []*url.URL
	timeout time.Duration
	client  *http.Client
}

// NewScraper asks the admin planes at these URLs, each for at most timeout. A bare host:port means http.
func NewScraper(admins []string, timeout time.Duration) (*Scraper, error) {
	s := &Scraper{timeout: timeout, client: &http.Client{
		// Ours alone, so that no idle connection of another is closed or waited for. Whatever an admin plane redirects to
		// is not it.
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, admin := range admins {
		if !strings.Contains(admin, "://") {
			admin = "http://" + admin
		}
		u, err := url.Parse(admin)
		// The URL itself is not shown: it may hold a password.
		if err != nil || u.User != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("want URLs of admin planes, without a user, for example http://127.0.0.1:7018")
		}
		if slices.ContainsFunc(s.admins, func(other *url.URL) bool { return other.Host == u.Host }) {
			return nil, fmt.Errorf("%s is given twice", u.Host)
		}
		s.admins = append(s.admins, u.JoinPath(api.SnapshotPath))
	}
	if len(s.admins) == 0 {
		return nil, errors.New("no node is given")
	}
	return s, nil
}

// Observe asks all nodes at once. It returns when each has answered or had its time; the observation is of at.
func (s *Scraper) Observe(ctx context.Context, at time.Time) Observation {
	o := Observation{At: at, Nodes: make([]Node, len(s.admins))}
	var all sync.WaitGroup
	for i, admin := range s.admins {
		all.Go(func() { o.Nodes[i] = s.ask(ctx, admin) })
	}
	all.Wait()
	return o
}

// Close lets go of the connections.
func (s *Scraper) Close() { s.client.CloseIdleConnections() }

func (s *Scraper) ask(ctx context.Context, admin *url.URL) Node {
	n := Node{Instance: admin.Host, Reach: Up}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.read(ctx, admin, &n.Snapshot)
	switch {
	case err == nil:
		return n
	case errors.Is(err, context.DeadlineExceeded):
		n.Reach, n.Says = Silent, fmt.Sprintf("no answer in %s", s.timeout)
	case errors.As(err, new(oddError)):
		n.Reach, n.Says = Odd, err.Error()
	default:
		n.Reach, n.Says = Down, innermost(err).Error()
	}
	n.Snapshot = api.Snapshot{}
	return n
}

// oddError is an answer that is no snapshot.
type oddError string

func (e oddError) Error() string { return string(e) }

func (s *Scraper) read(ctx context.Context, admin *url.URL, into *api.Snapshot) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin.String(), nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return oddError("it answers " + resp.Status)
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxSnapshot)).Decode(into); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return oddError("its answer is no snapshot: " + err.Error())
	}
	if !slices.Contains(states, into.State) {
		return oddError(fmt.Sprintf("its answer is no snapshot: it is in no state that there is, %q", into.State))
	}
	return nil
}

// states are those of a node, as it says them itself.
var states = []string{"starting", "ready", "draining"}

// innermost strips what net and net/http say around an error: they repeat the URL.
func innermost(err error) error {
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err
}
