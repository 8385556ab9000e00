package cmd

import (
	"context"
	"log/slog"
	"net/url"
	"strings"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/file"
	"github.com/turnomatico/tmctl/server/store/memory"
	"github.com/turnomatico/tmctl/server/store/redis"
)

// storeNames lists the stores for help and hints.
const storeNames = "memory, file:DIR, redis://HOST, rediss://HOST (TLS), redis+unix:///SOCKET, redis+sentinel://HOST,HOST,HOST/NAME, redis+cluster://HOST,HOST,HOST"

// plannedStores are the schemes of stores that this version does not have, so that who asks for one is not told it is a typo.
var plannedStores = []string{"etcd"}

// What operators can do with the stores that last.
var (
	_, _ examiner     = (*file.Store)(nil), (*redis.Store)(nil)
	_, _ counterTable = (*file.Store)(nil), (*redis.Store)(nil)
)

// shownStore is a valid --store value without its passwords.
func shownStore(rawURL string) string {
	if o, err := redis.Parse(rawURL); err == nil {
		return o.Name()
	}
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		scheme, _, _ := strings.Cut(rawURL, ":")
		return scheme
	case u.User == nil:
		return rawURL
	case u.User.Username() == "":
		u.User = nil
	default:
		u.User = url.User(u.User.Username())
	}
	return u.String()
}

// hasPassword reports whether a --store value holds one.
func hasPassword(rawURL string) bool {
	if o, err := redis.Parse(rawURL); err == nil {
		return o.Password != "" || o.SentinelPassword != ""
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return false
	}
	_, has := u.User.Password()
	return has
}

// validStore refuses a --store that openStore can't open, whatever is there. It has no effects.
func validStore(rawURL string) error {
	scheme, rest, _ := strings.Cut(rawURL, ":")
	switch scheme {
	case "memory":
		if rawURL != server.DefaultStore {
			return usageError("write --store memory", "--store %s takes nothing more", scheme)
		}
		return nil
	case "file":
		return validDir(rest)
	case "redis", "rediss", "redis+unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster":
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
const redisForms = "for example redis://localhost, redis://USER:PASSWORD@HOST:6379/0, rediss://HOST:6380?cacert=FILE, redis+unix:///run/redis/redis.sock, redis+sentinel://USER:PASSWORD@HOST:26379,HOST,HOST/mymaster, redis+cluster://USER:PASSWORD@HOST:6379,HOST,HOST"

// validDir refuses what a shell or a habit made of a directory.
func validDir(dir string) error {
	switch {
	case dir == "":
		return usageError("for example file:/var/lib/turnos", "--store file: names no directory")
	case strings.HasPrefix(dir, "~"):
		return usageError(`write "file:$HOME`+strings.TrimPrefix(dir, "~")+`"`, "--store file:%s: the shell has left ~ as it is", dir)
	case strings.HasPrefix(dir, "//") && !strings.HasPrefix(dir, "///"):
		return usageError("write file:"+strings.TrimLeft(dir, "/")+", or file:/… for a path from the root", "--store file:%s: // would be followed by a host", dir)
	}
	return nil
}

// unknownStore says what --store could have meant.
func unknownStore(scheme string) error {
	const hint = "available: " + storeNames
	for _, planned := range plannedStores {
		if scheme == planned {
			return usageError(hint, "--store %s: not in this version", scheme)
		}
	}
	if strings.ContainsAny(scheme, "@/?") { // it may begin with a password
		return usageError(hint, "--store: no such store")
	}
	switch scheme {
	case "localhost", "127.0.0.1", "http", "https", "tcp", "valkey", "valkeys", "unix":
		return usageError("a Redis, or what speaks its protocol, is redis://HOST:PORT", "--store %q: no such store", scheme)
	}
	return usageError(hint, "--store %q: no such store", scheme)
}

// neededStore is validStore for commands that make no sense without one.
func neededStore(variable, rawURL string) error {
	if rawURL == "" {
		return usageError("give --store redis://localhost or file:DIR, or set "+variable, "which store?")
	}
	return validStore(rawURL)
}

// openStore opens the store that a --store value names, for a node that serves. It and visitStore are the only places that
// know them all; the caller closes it.
func openStore(ctx context.Context, rawURL string, bounds server.Bounds, log *slog.Logger) (server.Store, error) {
	var store server.Store
	var err error
	switch scheme, rest, _ := strings.Cut(rawURL, ":"); scheme {
	case "memory":
		return memory.New(bounds), nil
	case "file":
		store, err = file.Open(rest, bounds)
	case "redis", "rediss", "redis+unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster":
		store, err = openRedis(ctx, rawURL, bounds, log)
	default:
		return nil, unknownStore(scheme)
	}
	if err != nil { // and store may hold a nil pointer
		return nil, withHint(err, storeHint(rawURL, err))
	}
	return store, nil
}

// visitStore opens a store for one who looks at it or moves counters, and takes no number. It leaves nothing in a Redis.
func visitStore(ctx context.Context, rawURL string, bounds server.Bounds) (server.Store, error) {
	quiet := slog.New(slog.DiscardHandler)
	if !strings.HasPrefix(rawURL, "redis") {
		return openStore(ctx, rawURL, bounds, quiet)
	}
	o, err := redis.Parse(rawURL)
	if err != nil {
		return nil, validStore(rawURL)
	}
	store, err := visitRedis(ctx, o, quiet)
	if err != nil {
		return nil, withHint(err, storeHint(rawURL, err))
	}
	return store, nil
}
