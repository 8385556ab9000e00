package cmd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/turnomatico/tmctl/journal"
)

// sinceValue is a flag that reads 10m, for ten minutes ago, or a time as events prints it.
type sinceValue struct {
	at  time.Time
	now func() time.Time
}

var _ pflag.Value = (*sinceValue)(nil)

func (v *sinceValue) Set(s string) (err error) {
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		v.at = v.now().Add(-ago)
		return nil
	}
	if v.at, err = time.Parse(time.RFC3339, s); err != nil {
		return fmt.Errorf("%q is no time; want for example 10m or 2026-11-21T10:15:02Z", s)
	}
	return nil
}

func (v *sinceValue) String() string {
	if v.at.IsZero() {
		return ""
	}
	return v.at.UTC().Format(time.RFC3339)
}

func (v *sinceValue) Type() string { return "time" }

// kindsValue is a flag that reads node.ready,store: kinds, or what they begin with. Given again, it adds.
type kindsValue []string

var _ pflag.Value = (*kindsValue)(nil)

func (v *kindsValue) Set(s string) error {
	for one := range strings.SplitSeq(s, ",") {
		one = strings.TrimSuffix(strings.TrimSpace(one), ".")
		known := func(m journal.Meaning) bool { return covers(one, m.Kind) }
		if !slices.ContainsFunc(journal.Meanings, known) {
			return fmt.Errorf("there is no kind %q; tmctl events --help lists them", one)
		}
		*v = append(*v, one)
	}
	return nil
}

func (v *kindsValue) String() string { return strings.Join(*v, ",") }

func (v *kindsValue) Type() string { return "KINDS" }

func (v *kindsValue) has(k journal.Kind) bool {
	return len(*v) == 0 || slices.ContainsFunc(*v, func(one string) bool { return covers(one, k) })
}

func covers(one string, k journal.Kind) bool {
	return one == string(k) || one != "" && strings.HasPrefix(string(k), one+".")
}

// completeKinds completes a comma-separated list of kinds, with what they mean.
func completeKinds(of []journal.Meaning) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) (all []cobra.Completion, _ cobra.ShellCompDirective) {
		before := typed[:strings.LastIndex(typed, ",")+1]
		for _, m := range of {
			all = append(all, cobra.CompletionWithDesc(before+string(m.Kind), m.Says))
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}
