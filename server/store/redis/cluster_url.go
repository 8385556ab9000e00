package redis

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

const (
	// DefaultPartitions is enough for many masters to have some each, and few enough that requests share calls.
	DefaultPartitions = 16
	maxPartitions     = 1024
)

// IsCluster reports whether [Options.OpenCluster] opens it, and not [Options.Open].
func (o Options) IsCluster() bool { return len(o.seeds) > 0 }

// placeCluster reads where the nodes of a cluster are; one that lives is enough, for it tells of the others.
func (o *Options) placeCluster(scheme string, hosts []string, query url.Values) (err error) {
	if o.seeds, err = addresses(scheme, hosts, defaultPort); err != nil {
		return err
	}
	o.network, o.addr, o.chartLasts = "tcp", strings.Join(o.seeds, ","), chartLasts
	if strings.ContainsAny(o.prefix, "{}") {
		return errors.New("?prefix= may have no { or }: a cluster looks between them for what decides on the slot")
	}
	if !query.Has("partitions") {
		return nil
	}
	n, err := strconv.Atoi(query.Get("partitions"))
	if err != nil || n < 1 || n > maxPartitions || n&(n-1) != 0 {
		return fmt.Errorf("?partitions= wants a power of two from 1 to %d", maxPartitions)
	}
	o.partitions = n
	return nil
}
