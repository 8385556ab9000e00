package cmd

import (
	"context"
	"log/slog"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redis"
)

// What operators can do with a cluster.
var (
	_ examiner     = (*redis.Cluster)(nil)
	_ counterTable = (*redis.Cluster)(nil)
)

// openRedis opens a Redis, or several that are one store, for a node that serves.
func openRedis(ctx context.Context, rawURL string, bounds server.Bounds, log *slog.Logger) (server.Store, error) {
	o, err := redis.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	if o.IsCluster() {
		return o.OpenCluster(ctx, bounds, log)
	}
	return o.Open(ctx, bounds, log)
}

// visitRedis is openRedis for one who looks at it.
func visitRedis(ctx context.Context, o redis.Options, log *slog.Logger) (server.Store, error) {
	if o.IsCluster() {
		return o.VisitCluster(ctx, log)
	}
	return o.Visit(ctx, log)
}
