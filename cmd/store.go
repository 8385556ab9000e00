package cmd

import (
	"context"
	"log/slog"
	"strings"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
	"github.com/turnomatico/tmctl/server/store/redis"
)

// storeNames lists the stores for help and hints.
const storeNames = "memory, redis://HOST, rediss://HOST (TLS), redis+unix:///SOCKET"

// plannedStores are the schemes of stores that this version does not have, so that who asks for one is not told it is a typo.
var plannedStores = []string{"file", "redis+sentinel", "redis+cluster", "etcd"}

// validStore refuses a --store that openStore can't open, whatever is there. It has no effects.
func validStore(rawURL string) error {
	scheme, rest, _ := strings.Cut(rawURL, ":")
	switch scheme {
	case "memory":
		if rawURL != server.DefaultStore {
			return usageError("write --store memory", "--store %s takes nothing more", scheme)
		}
		return nil
	case "redis", "rediss", "redis+unix":
		if !strings.HasPrefix(rest, "//") {
			return usageError("write "+scheme+"://localhost", "--store %s: // is missing after %s:", scheme, scheme)
		}
		if _, err := redis.Parse(rawURL); err != nil {
			return usageError(redisForms, "--store %s: %w", scheme, err)
		}
		return nil
	default:
		return unknownStore(scheme)
	}
}

// redisForms shows how a Redis is named.
const redisForms = "for example redis://localhost, redis://USER:PASSWORD@HOST:6379/0, rediss://HOST:6380?cacert=FILE, redis+unix:///run/redis/redis.sock"

// unknownStore says what --store could have meant.
func unknownStore(scheme string) error {
	const hint = "available: " + storeNames
	for _, planned := range plannedStores {
		if scheme == planned {
			return usageError(hint, "--store %s: not in this version", scheme)
		}
	}
	switch scheme {
	case "localhost", "127.0.0.1", "http", "https", "tcp", "valkey", "valkeys", "unix":
		return usageError("a Redis, or what speaks its protocol, is redis://HOST:PORT", "--store %q: no such store", scheme)
	}
	return usageError(hint, "--store %q: no such store", scheme)
}

// openStore opens the store that a --store value names, for a node that serves. It is the only place that knows them all; the
// caller closes it.
func openStore(ctx context.Context, rawURL string, maxIDs int, log *slog.Logger) (server.Store, error) {
	var store server.Store
	var err error
	switch scheme, _, _ := strings.Cut(rawURL, ":"); scheme {
	case "memory":
		return memory.New(maxIDs), nil
	case "redis", "rediss", "redis+unix":
		store, err = redis.Open(ctx, rawURL, maxIDs, log)
	default:
		return nil, unknownStore(scheme)
	}
	if err != nil { // and store may hold a nil pointer
		return nil, withHint(err, storeHint(rawURL, err))
	}
	return store, nil
}
