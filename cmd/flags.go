package cmd

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/turnomatico/tmctl/loadgen"
)

// rateValue is a flag that reads 50k, 100/s, 9000/1m.
type rateValue float64

var _ pflag.Value = (*rateValue)(nil)

func (r *rateValue) Set(s string) error {
	v, err := loadgen.ParseRate(s)
	*r = rateValue(v)
	return err
}

func (r *rateValue) String() string {
	if *r == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*r), 'f', -1, 64) + "/s"
}

func (r *rateValue) Type() string { return "rate" }

// shareValue is a flag that reads 5% or 0.05.
type shareValue float64

var _ pflag.Value = (*shareValue)(nil)

func (p *shareValue) Set(s string) error {
	digits, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return fmt.Errorf("%q is not a share; want for example 5%% or 0.05", s)
	}
	if percent {
		v /= 100
	}
	*p = shareValue(v)
	return nil
}

func (p *shareValue) String() string {
	return strconv.FormatFloat(float64(*p)*100, 'f', -1, 64) + "%"
}

func (p *shareValue) Type() string { return "share" }

// prefixesValue is a flag that reads 10.0.0.0/8,192.0.2.7; given again, it adds.
type prefixesValue []netip.Prefix

var _ pflag.Value = (*prefixesValue)(nil)

func (p *prefixesValue) Set(s string) error {
	for one := range strings.SplitSeq(s, ",") {
		one = strings.TrimSpace(one)
		prefix, err := netip.ParsePrefix(one)
		if addr, bad := netip.ParseAddr(one); err != nil && bad == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return fmt.Errorf("%q is no network; want for example 10.0.0.0/8 or 192.0.2.7", one)
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

func (p *prefixesValue) String() string {
	var all []string
	for _, prefix := range *p {
		all = append(all, prefix.String())
	}
	return strings.Join(all, ",")
}

func (p *prefixesValue) Type() string { return "CIDRs" }

// choice is a flag that takes one of a few words, and completes them.
type choice struct {
	value *string
	of    []string
}

var _ pflag.Value = (*choice)(nil)

func (c *choice) Set(s string) error {
	if !slices.Contains(c.of, s) {
		return fmt.Errorf("want one of %s", strings.Join(c.of, ", "))
	}
	*c.value = s
	return nil
}

func (c *choice) String() string { return *c.value }

func (c *choice) Type() string { return strings.Join(c.of, "|") }

// choiceFlag adds a flag that takes one of a few words.
func choiceFlag(c *cobra.Command, p *string, name string, of []string, help string) {
	c.Flags().Var(&choice{p, of}, name, help)
	_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(of, cobra.ShellCompDirectiveNoFileComp)) // errs on a name given twice
}
