package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/journal"
)

// followEvery is how often --follow looks for more.
const followEvery = 250 * time.Millisecond

type eventsOptions struct {
	files  []string
	follow bool
	since  sinceValue
	kinds  kindsValue
	asJSON bool
}

func newEvents(env *Env) *cobra.Command {
	o := eventsOptions{since: sinceValue{now: env.Now}}
	c := &cobra.Command{
		Use:   "events [FILE…]",
		Short: "Read journals: what happened, in order",
		Long: `Read journals as one timeline, in UTC. A FILE is what serve --journal writes, with its older segments (FILE.1, FILE.2 …), or the
directory of a run; without any it is the one that TMCTL_JOURNAL names, or else ${XDG_STATE_HOME:-~/.local/state}/tmctl/journal.ndjson,
where tmctl note writes.

Of several journals the events are put in the order of their times, as far as the clocks of their machines agree. Events of one
journal stay in the order in which they were written: one that is much older than the one before it, or in the future, is
marked, for then a clock was off or it was written late. Lines that a crash cut are left out, with a word on stderr. Kinds that
this tmctl does not know are shown.

With --follow it goes on with what is written, also when the file is rotated or made anew, until ^C.

Kinds:

` + kindTable(),
		Example: "  tmctl events\n  tmctl events /var/log/tmctl/*.ndjson runs/20261121T101502Z --since 10m\n  tmctl events --follow --kind store.unavailable,id.stopped,id.jumped\n  tmctl events --json | jq 'select(.kind == \"node.stopped\").data.ledger'",
		RunE: func(c *cobra.Command, args []string) error {
			o.files = args
			return o.run(c.Context(), env)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	f := c.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what is written")
	f.Var(&o.since, "since", "leave out what is older: 10m for ten minutes ago, or a `time`, 2026-11-21T10:15:02Z")
	f.Var(&o.kinds, "kind", "only `KINDS`, comma-separated; node for all that begin with node.")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, an event a line")
	_ = c.RegisterFlagCompletionFunc("kind", completeKinds(journal.Meanings)) // errs on a name given twice
	return c
}

func kindTable() string {
	var b strings.Builder
	for _, m := range journal.Meanings {
		fmt.Fprintf(&b, "    %-20s%s\n", m.Kind, m.Says)
	}
	return strings.TrimRight(b.String(), "\n")
}

func (o *eventsOptions) run(ctx context.Context, env *Env) error {
	if len(o.files) == 0 {
		path := defaultJournal(env)
		if path == "" {
			return usageError("set "+journalEnv+", or name a FILE", "which journal?")
		}
		o.files = []string{path}
	}
	said := remarks{to: env.Err}
	var all journal.Merge
	defer all.Close()
	for _, path := range o.files {
		r, err := o.open(path, &said)
		if err != nil {
			return err
		}
		all.Add(path, r)
	}
	out := eventPrinter{out: env.Out, now: env.Now, asJSON: o.asJSON, several: len(o.files) > 1}
	if err := o.copy(ctx, &all, &out); err != nil {
		return err
	}
	if !o.follow {
		for _, torn := range all.Torn() {
			said.say(torn)
		}
		said.sum()
		if out.read == 0 && said.n > 0 {
			return withHint(errors.New("there is no event in it"), "a journal is what serve --journal FILE writes, or journal.ndjson of a run")
		}
		return nil
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil // ^C is how one stops to follow
		case <-tick.C:
			if err := o.copy(ctx, &all, &out); err != nil {
				return err
			}
		}
	}
}

// open opens a journal, or waits for one to follow.
func (o *eventsOptions) open(path string, said *remarks) (*journal.Reader, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, history.JournalFile)
	}
	r, err := journal.Open(path, said.say)
	switch {
	case err == nil:
		return r, nil
	case errors.Is(err, fs.ErrNotExist) && o.follow:
		said.say("waiting for " + path)
		return journal.Follow(path, said.say), nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, withHint(err, "serve --journal FILE writes one, and so does tmctl note; name it, or set "+journalEnv)
	case errors.Is(err, fs.ErrPermission):
		return nil, withHint(err, "this user may not read it")
	}
	return nil, withHint(err, "a journal is what serve --journal FILE writes, or the directory of a run")
}

// copy prints what there is now.
func (o *eventsOptions) copy(ctx context.Context, all *journal.Merge, out *eventPrinter) error {
	for ctx.Err() == nil {
		l, err := all.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		out.read++
		if l.At.Before(o.since.at) || !o.kinds.has(l.Kind) {
			continue
		}
		if err := out.print(&l); err != nil {
			return err
		}
	}
	return nil
}

// remarks says what was left out, and of many only how many.
type remarks struct {
	to io.Writer
	n  int
}

// maxRemarks is how many are said.
const maxRemarks = 10

func (r *remarks) say(text string) {
	if r.n++; r.n <= maxRemarks {
		fmt.Fprintln(r.to, "note:", text)
	}
}

func (r *remarks) sum() {
	if more := r.n - maxRemarks; more > 0 {
		fmt.Fprintf(r.to, "note: and %d more of this sort\n", more)
	}
}

// eventPrinter writes events, for people or for machines.
type eventPrinter struct {
	out     io.Writer
	now     func() time.Time
	asJSON  bool
	several bool // journals
	read    int  // events so far, also those that are not printed
}

// printedEvent is an event with where it was read; a contract.
type printedEvent struct {
	journal.Event
	Journal string        `json:"journal"`
	Earlier time.Duration `json:"earlier_ns,omitempty"` // than the one before it in its journal
	Ahead   time.Duration `json:"ahead_ns,omitempty"`   // of this machine's clock
}

func (p *eventPrinter) print(l *journal.Line) error {
	ahead := l.At.Sub(p.now())
	if ahead < journal.Earlier {
		ahead = 0
	}
	if p.asJSON {
		e := json.NewEncoder(p.out)
		e.SetEscapeHTML(false)
		return e.Encode(printedEvent{l.Event, l.Journal, l.Earlier, ahead})
	}
	who := l.Source
	if l.Node != "" {
		who = strings.TrimSpace(who + " " + l.Node)
	}
	var doubts []string
	if l.Earlier > 0 {
		doubts = append(doubts, fmt.Sprintf("%s older than the event before it in its journal: a clock went back, or it was written late", l.Earlier.Round(100*time.Millisecond)))
	}
	if ahead > 0 {
		doubts = append(doubts, fmt.Sprintf("%s ahead of this machine's clock", ahead.Round(100*time.Millisecond)))
	}
	text := l.Text
	if text == "" {
		text = saysKind(l.Kind)
	}
	if p.several {
		text += "  [" + l.Journal + "]"
	}
	if len(doubts) > 0 {
		text += "  (" + strings.Join(doubts, "; ") + ")"
	}
	_, err := fmt.Fprintf(p.out, "%s  %-21s  %-18s  %s\n", l.At.UTC().Format("2006-01-02T15:04:05.000Z"), oneLine(who), oneLine(string(l.Kind)), oneLine(text))
	return err
}

// saysKind is what a kind means.
func saysKind(k journal.Kind) string {
	i := slices.IndexFunc(journal.Meanings, func(m journal.Meaning) bool { return m.Kind == k })
	if i < 0 {
		return "(a kind that this tmctl does not know)"
	}
	return journal.Meanings[i].Says
}

// oneLine takes from a text what a terminal would act on: whoever can write a journal shall not write to its readers' screens.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", " / ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029' || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' {
			return ' '
		}
		return r
	}, s)
}
