package loadgen

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

// askTimeout bounds how long a node is waited for that does not answer; the plan's timeout may be shorter.
const askTimeout = 2 * time.Second

// maxSnapshot bounds what is read of a snapshot, in bytes: ten times what a node of ours can say.
const maxSnapshot = 4 << 20

// Look is what a node's admin plane said of itself at one time.
type Look struct {
	Admin        string    // its URL
	Began, Ended time.Time // of asking
	Err          error     // why there is no answer
	api.Snapshot           // the answer
}

// AskNodes asks all of the plan's admin planes at once, and waits for all.
func AskNodes(ctx context.Context, p *Plan) []Look {
	looks := make([]Look, len(p.admins))
	var wg sync.WaitGroup
	for i, admin := range p.admins {
		wg.Go(func() {
			l := Look{Admin: admin, Began: time.Now()}
			l.Err = ask(ctx, admin, min(p.Timeout, askTimeout), &l.Snapshot)
			l.Ended = time.Now()
			looks[i] = l
		})
	}
	wg.Wait()
	return looks
}

// ask reads one snapshot. It takes no number: that net/http may repeat the request does no harm.
func ask(ctx context.Context, admin string, timeout time.Duration, s *api.Snapshot) error {
	at := strings.TrimSuffix(admin, "/") + api.SnapshotPath
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return fmt.Errorf("admin %s: %w", admin, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask admin: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask admin %s: %s", at, resp.Status)
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxSnapshot)).Decode(s); err != nil {
		return fmt.Errorf("ask admin %s: not a snapshot: %w", at, err)
	}
	for _, r := range s.Declared {
		if r.First < 1 || r.First > r.Last || r.Last > api.MaxTurno {
			return fmt.Errorf("ask admin %s: it declares numbers that are none: %d to %d of %q", at, r.First, r.Last, r.ID)
		}
	}
	return nil
}

// parseAdmins reads the URLs of --admin. A bare host:port means http.
func parseAdmins(list string) (admins []string, err error) {
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if !strings.Contains(s, "://") {
			s = "http://" + s
		}
		// The URL itself is not shown: it may hold a password.
		if u, err := url.Parse(s); err != nil || u.User != nil || u.Hostname() == "" {
			return nil, fmt.Errorf("admin: want a URL without a user, for example http://127.0.0.1:7018")
		}
		if slices.Contains(admins, s) {
			return nil, fmt.Errorf("admin %s is given twice", s)
		}
		admins = append(admins, s)
	}
	return admins, nil
}

// Label names the node for people.
func (l *Look) Label() string {
	if l.Name == "" || strings.HasSuffix(l.Admin, "//"+l.Name) {
		return l.Admin
	}
	return l.Name + " (" + l.Admin + ")"
}

// Ranges are what the node declared skipped.
func (l *Look) Ranges() []history.Range {
	ranges := make([]history.Range, len(l.Declared))
	for i, r := range l.Declared {
		ranges[i] = history.Range(r)
	}
	return ranges
}

// TargetOf is what a run keeps of a look.
func TargetOf(l *Look) history.Target {
	return history.Target{Admin: l.Admin, Name: l.Name, Version: l.Version, Go: l.Go, Store: l.Store, Promise: l.Promise,
		Details: l.StoreDetails, Warnings: l.StoreWarnings}
}
