package monitor

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is where worries begin. [DefaultConfig] is complete.
type Config struct {
	Objective        float64       // share of requests that must not fail by the service's fault, over 30 days
	Latency          time.Duration // how long an answer may take, as the node sees it: one of its histogram's bounds
	LatencyObjective float64       // share of answers that must not take longer
	StoreLatency     time.Duration // how long 99 % of a store's answers may take: one of its histogram's bounds
	StoreErrors      float64       // share of the store's calls that may fail
	CPU              float64       // share of a node's cores that may be busy
	Imbalance        float64       // by what share of the mean a node's requests may be off
	Burned           float64       // share of an hour's numbers that may reach nobody
	Promises         []string      // texts of which a store's promise must have one; none: anything goes
	Compress         float64       // all windows and waits are divided by this: 1, or more in drills, which last minutes
}

// DefaultConfig returns the bounds that a service of this kind should keep.
func DefaultConfig() Config {
	return Config{Objective: 0.999, Latency: 50 * time.Millisecond, LatencyObjective: 0.99, StoreLatency: 100 * time.Millisecond,
		StoreErrors: 0.05, CPU: 0.9, Imbalance: 0.5, Burned: 0.001, Compress: 1}
}

// maxCompress makes 5 minutes 1 second: less can't be seen.
const maxCompress = 300

// Validate reports what can't be watched for. It has no effects.
func (c *Config) Validate() error {
	for _, share := range []struct {
		name string
		is   float64
	}{{"objective", c.Objective}, {"latency-objective", c.LatencyObjective}, {"max-store-errors", c.StoreErrors}, {"max-cpu", c.CPU},
		{"max-imbalance", c.Imbalance}, {"max-burned", c.Burned}} {
		if !(0 < share.is && share.is < 1) {
			return fmt.Errorf("%s %v: want a share between 0 and 100 %%", share.name, share.is)
		}
	}
	switch {
	case !slices.Contains(bounds, c.Latency):
		return fmt.Errorf("latency %s: nodes count at %s", c.Latency, boundsText())
	case !slices.Contains(bounds, c.StoreLatency):
		return fmt.Errorf("store-latency %s: nodes count at %s", c.StoreLatency, boundsText())
	case !(1 <= c.Compress && c.Compress <= maxCompress):
		return fmt.Errorf("compress %v: want 1 to %d", c.Compress, maxCompress)
	case slices.Contains(c.Promises, ""):
		return errors.New("expect-promise has an empty text, which every promise has")
	}
	return nil
}

func boundsText() string {
	var all []string
	for _, b := range bounds {
		all = append(all, b.String())
	}
	return strings.Join(all, ", ")
}

// compressed is a window or wait as it is in a drill.
func (c *Config) compressed(d time.Duration) time.Duration {
	return (time.Duration(float64(d) / c.Compress)).Round(time.Millisecond)
}

// percent is a share for people.
func percent(share float64) string {
	return strconv.FormatFloat(share*100, 'g', 3, 64) + " %"
}
