package cmd

import (
	"strings"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// storeNames lists the stores for help and hints.
const storeNames = "memory"

// plannedStores are the schemes of stores that this version does not have, so that who asks for one is not told it is a typo.
var plannedStores = []string{"file:", "redis://", "rediss://", "redis+sentinel://", "redis+cluster://", "etcd://"}

// validStore refuses a --store that openStore can't open.
func validStore(url string) error {
	if url == server.DefaultStore {
		return nil
	}
	const hint = "available: " + storeNames
	for _, scheme := range plannedStores {
		if strings.HasPrefix(url, scheme) {
			return usageError(hint, "--store %s: not in this version", strings.TrimRight(scheme, ":/"))
		}
	}
	scheme, _, _ := strings.Cut(url, ":") // what follows may hold a password
	return usageError(hint, "--store %q: no such store", scheme)
}

// openStore opens the store that a --store value names. It is the only place that knows them all; the caller closes it.
func openStore(url string, maxIDs int) (server.Store, error) {
	switch url {
	case "memory":
		return memory.New(maxIDs), nil
	default:
		return nil, validStore(url)
	}
}
