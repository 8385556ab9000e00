package cmd

import (
	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/monitor"
)

// alertFlags adds the flags that say where worries begin, for all that makes something of the list of alerts.
func alertFlags(c *cobra.Command, m *monitor.Config) {
	f := c.Flags()
	f.Var((*shareValue)(&m.Objective), "objective", "share of requests that must not fail by the service's fault, over 30 days")
	f.DurationVar(&m.Latency, "latency", m.Latency, "how long an answer may take as the node sees it")
	f.Var((*shareValue)(&m.LatencyObjective), "latency-objective", "share of answers that must not take longer, over 30 days")
	f.DurationVar(&m.StoreLatency, "store-latency", m.StoreLatency, "how long 99 % of the store's answers may take")
	f.Var((*shareValue)(&m.StoreErrors), "max-store-errors", "share of the store's calls that may fail")
	f.Var((*shareValue)(&m.CPU), "max-cpu", "share of a node's cores that may be busy")
	f.Var((*shareValue)(&m.Imbalance), "max-imbalance", "by what share of the mean a node's requests may be off")
	f.Var((*shareValue)(&m.Burned), "max-burned", "share of an hour's numbers that may reach nobody")
	f.StringArrayVar(&m.Promises, "expect-promise", nil, "`text` that the store's promise must have, as tmctl doctor prints it, for example \"nothing lost\"; given again, either will do")
	f.Float64Var(&m.Compress, "compress", m.Compress, "divide all windows and waits by this; for drills, which last minutes, 60")
}

// validAlerts reports what can't be watched for.
func validAlerts(m *monitor.Config) error {
	if err := m.Validate(); err != nil {
		return usageError("the defaults suit most: leave the flag out", "--%w", err)
	}
	return nil
}
