package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/journal"
)

// maxNote bounds what a person may write in one event, in bytes.
const maxNote = 16 << 10

type noteOptions struct {
	text    string
	journal string
	by      string
	kind    string
}

func newNote(env *Env) *cobra.Command {
	o := noteOptions{kind: string(journal.Note)}
	c := &cobra.Command{
		Use:   "note TEXT… | -",
		Short: "Write a line of your own into a journal",
		Long: `Write a line of your own into a journal, among what the machines write: that a version goes out, what you see, what you try.
With - the text is read from stdin. When note ends with 0 the line is on disk.

The journal is --journal, or the one that TMCTL_JOURNAL names, or else ${XDG_STATE_HOME:-~/.local/state}/tmctl/journal.ndjson,
which is made if need be; serve and tmctl events know TMCTL_JOURNAL too, so that one name is enough for a machine.`,
		Example: "  tmctl note \"v2.3 goes out to n1\" --kind deploy\n  tmctl note --journal /var/log/tmctl/n1.ndjson --by ana \"p99 is up since lunch\"\n  git log -1 --oneline | tmctl note - --kind deploy",
		RunE: func(_ *cobra.Command, args []string) error {
			o.text = strings.Join(args, " ")
			if err := o.validate(args); err != nil {
				return err
			}
			return o.run(env)
		},
	}
	f := c.Flags()
	f.StringVar(&o.journal, "journal", "", "write into this `file`")
	f.StringVar(&o.by, "by", "", "your `name`; otherwise the user's")
	var kinds []string
	for _, k := range journal.ByPeople {
		kinds = append(kinds, string(k))
	}
	choiceFlag(c, &o.kind, "kind", kinds, "what it is about")
	return c
}

func (o *noteOptions) validate(args []string) error {
	if len(args) == 0 {
		return usageError(`for example tmctl note "v2.3 goes out", or - to read stdin`, "note what?")
	}
	return nil
}

func (o *noteOptions) run(env *Env) error {
	if err := o.read(env); err != nil {
		return err
	}
	path, err := o.place(env)
	if err != nil {
		return err
	}
	w, err := journal.Append(path, journal.DefaultLimits, env.Now)
	if err != nil {
		return journalHint(err)
	}
	by := cmp.Or(o.by, env.Getenv("USER"), env.Getenv("LOGNAME"), "someone")
	err = w.Write(journal.Event{Kind: journal.Kind(o.kind), Source: by, Text: o.text})
	if err = errors.Join(err, w.Close()); err != nil {
		return journalHint(err)
	}
	fmt.Fprintln(env.Err, "noted in", path)
	return nil
}

// read gets the text from stdin, if it is there, and looks whether it can be a note.
func (o *noteOptions) read(env *Env) error {
	if o.text == "-" {
		b, err := io.ReadAll(io.LimitReader(env.In, maxNote+1))
		if err != nil {
			return fmt.Errorf("read stdin: %w", err)
		}
		o.text = string(b)
	}
	o.text = strings.TrimSpace(o.text)
	switch {
	case len(o.text) > maxNote:
		return usageError("note where the rest is to be found, for example a URL", "the note is longer than %d bytes", maxNote)
	case o.text == "":
		return usageError(`for example tmctl note "v2.3 goes out"`, "the note is empty")
	case !utf8.ValidString(o.text):
		return usageError("a journal is text: note where the file is to be found", "the note is not UTF-8")
	}
	return nil
}

// place is the journal to write into; the directory of one that nobody named is made.
func (o *noteOptions) place(env *Env) (string, error) {
	path := cmp.Or(o.journal, env.Getenv(journalEnv))
	if path != "" {
		return path, nil
	}
	if path = defaultJournal(env); path == "" {
		return "", usageError("give --journal FILE, or set "+journalEnv, "which journal?")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", withHint(err, "give --journal FILE, or set "+journalEnv)
	}
	return path, nil
}
