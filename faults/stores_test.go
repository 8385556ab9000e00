//go:build linux

package faults

import (
	"net/url"
	"os"

	"github.com/turnomatico/tmctl/server/store/redistest"
)

// store is a kind of store, as the document names it.
type store struct {
	name  string
	nodes []int                        // a row is played with each of these, unless it says otherwise
	open  func(*scene)                 // starts what the row needs
	url   func(s *scene, i int) string // of node i
}

var (
	memory = &store{name: "memory", nodes: []int{1}, open: func(*scene) {}, url: func(*scene, int) string { return "memory" }}
	file   = &store{
		name: "file", nodes: []int{1},
		open: func(s *scene) { s.place() },
		url:  func(s *scene, _ int) string { return "file:" + s.dir },
	}

	always   = redisStore("redis always", "always")
	everysec = redisStore("redis everysec", "everysec")
	volatile = redisStore("redis volatile", "")

	clocked = redisStore("redis everysec", "everysec", func(o *redistest.Options) { o.Clock = true })
)

// place makes a directory for the store's files, unless the row did. It is in memory where that can be: no row takes the
// power away, so that a disk would change nothing but the time that fsync takes, which on a busy machine is seconds.
func (s *scene) place() {
	if s.dir != "" {
		return
	}
	dir, err := os.MkdirTemp("/dev/shm", "tmctl-faults-")
	if err != nil {
		s.dir = s.TempDir()
		return
	}
	s.dir = dir
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
}

// redisStore is a redis-server of the row's own, with a password that no log may show.
func redisStore(name, fsync string, change ...func(*redistest.Options)) *store {
	return &store{
		name: name, nodes: []int{1, 3},
		open: func(s *scene) {
			s.place()
			o := redistest.Options{Dir: s.dir, Password: secret, Fsync: fsync}
			for _, f := range change {
				f(&o)
			}
			s.redis = redistest.Start(s.T, o)
		},
		url: func(s *scene, i int) string {
			addr := s.redis.Addr()
			if i < len(s.links) {
				addr = s.links[i].addr
			}
			return (&url.URL{Scheme: "redis", User: url.UserPassword("", secret), Host: addr}).String()
		},
	}
}
