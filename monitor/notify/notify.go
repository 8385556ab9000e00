// Package notify tells people about alerts: by webhook, in Slack, through Alertmanager. Start with [Parse] and [Open].
package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/monitor"
)

// How a receiver that does not take a message is tried again, and how long each attempt may take.
const (
	firstPause  = time.Second
	longestWait = time.Minute
	postTimeout = 10 * time.Second
)

// Desk sends what it is told, to each receiver in its own time: one that is slow or dead holds up nobody. All that changed
// while a receiver was being told, or could not be, is one message. Make one with [Open].
type Desk struct {
	lines []*line
	stop  context.CancelFunc
	all   sync.WaitGroup
}

// Open begins to send. Transport is http.DefaultTransport where it is nil.
func Open(ctx context.Context, receivers []Receiver, transport http.RoundTripper, log *slog.Logger) *Desk {
	d := new(Desk)
	ctx, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	// A redirect is not followed: net/http would make a GET of it.
	client := &http.Client{Transport: transport, Timeout: postTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, r := range receivers {
		l := &line{Receiver: r, client: client, log: log.With("receiver", r.Name), waiting: map[key]news{},
			wake: make(chan struct{}, 1), closing: make(chan struct{})}
		d.lines = append(d.lines, l)
		d.all.Go(func() { l.run(ctx) })
	}
	return d
}

// Tell has all receivers told what changed; firing is all that fires now, for those who want to be reminded. It never waits.
func (d *Desk) Tell(changes, firing []monitor.Status) {
	for _, l := range d.lines {
		l.tell(changes, firing)
	}
}

// Close gives what was not sent until ctx ends, and says what could not be.
func (d *Desk) Close(ctx context.Context) (err error) {
	for _, l := range d.lines {
		close(l.closing)
	}
	ended := make(chan struct{})
	go func() { d.all.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	d.stop()
	<-ended
	for _, l := range d.lines {
		if n := len(l.waiting); n > 0 {
			err = errors.Join(err, fmt.Errorf("%s was not told of %d alerts", l.Name, n))
		}
	}
	return err
}

// line is the way to one receiver.
type line struct {
	Receiver
	client  *http.Client
	log     *slog.Logger
	wake    chan struct{}
	closing chan struct{}

	mu      sync.Mutex
	waiting map[key]news // what the receiver does not know, the latest of each alert
	firing  []monitor.Status
	told    uint64

	reminded time.Time // run's alone
}

type key struct{ alert, instance string }

type news struct {
	monitor.Status
	nth uint64 // to tell it from a later one
}

func (l *line) tell(changes, firing []monitor.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range changes {
		if s.State == monitor.Firing || s.State == monitor.Resolved {
			l.told++
			l.waiting[key{s.Name, s.Instance}] = news{s, l.told}
		}
	}
	l.firing = firing
	if len(l.waiting) > 0 || l.reminds && len(firing) > 0 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// run sends until the line is closed and nothing waits, or ctx ends.
func (l *line) run(ctx context.Context) {
	for {
		select {
		case <-l.wake:
			l.deliver(ctx)
		case <-l.closing:
			l.deliver(ctx)
			return
		case <-ctx.Done():
			return
		}
	}
}

// deliver sends what waits, as often as it takes.
func (l *line) deliver(ctx context.Context) {
	closing := l.closing
	for pause := firstPause; ; pause = min(2*pause, longestWait) {
		batch, reminder := l.batch(time.Now())
		if len(batch)+len(reminder) == 0 {
			return
		}
		err := l.post(ctx, batch, reminder)
		if err == nil || errors.As(err, new(refusal)) {
			if err != nil {
				l.log.Error("a message about alerts is refused, and not sent again", "err", err)
			} else if pause > firstPause {
				l.log.Info("the receiver of alerts takes messages again")
			}
			l.sent(batch)
			return
		}
		if pause == firstPause {
			l.log.Warn("the receiver of alerts can't be told: it is tried again", "err", err)
		}
		select {
		case <-time.After(pause):
		case <-closing: // the last chance
			closing = nil
		case <-ctx.Done():
			return
		}
	}
}

// batch is what the receiver is to be told now: what it does not know, and what it wants to be reminded of.
func (l *line) batch(now time.Time) (batch []news, reminder []monitor.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch = slices.SortedFunc(maps.Values(l.waiting), func(a, b news) int { return int(a.nth) - int(b.nth) })
	if !l.reminds || now.Sub(l.reminded) < remindEvery {
		return batch, nil
	}
	for _, s := range l.firing {
		if _, is := l.waiting[key{s.Name, s.Instance}]; !is {
			reminder = append(reminder, s)
		}
	}
	return batch, reminder
}

// sent forgets what the receiver was told, but for what has changed since.
func (l *line) sent(batch []news) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reminded = time.Now()
	for _, n := range batch {
		k := key{n.Name, n.Instance}
		if l.waiting[k].nth == n.nth {
			delete(l.waiting, k)
		}
	}
}

// refusal is an answer that another attempt would not change.
type refusal struct{ status string }

func (r refusal) Error() string { return "it answers " + r.status }

func (l *line) post(ctx context.Context, batch []news, reminder []monitor.Status) error {
	var all []monitor.Status
	for _, n := range batch {
		all = append(all, n.Status)
	}
	body, err := l.encode(append(all, reminder...), time.Now())
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL can't be used")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		return innermost(err) // the URL, which is left out, may be a secret
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	switch s := resp.StatusCode; {
	case s < 300:
		return nil
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500:
		return errors.New("it answers " + resp.Status)
	default:
		return refusal{resp.Status}
	}
}

func innermost(err error) error {
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err
}
