//go:build linux

package faults

import (
	"context"
	"fmt"
	"strings"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is the way of one node to its store, with toxiproxy in it.
type link struct {
	addr  string
	proxy *toxiproxy.Proxy
}

// throughLinks gives every node a link of its own to Redis.
func throughLinks(s *scene) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	for i := range s.size {
		p := toxiproxy.NewProxy(server, fmt.Sprintf("link-%d", i+1), "127.0.0.1:0", s.redis.Addr())
		if err := p.Start(); err != nil {
			s.Fatal(err)
		}
		s.Cleanup(p.Stop)
		s.links = append(s.links, &link{addr: p.Listen, proxy: p})
	}
}

// spoil adds a toxic, as toxiproxy's README describes it: its type, a direction (upstream is towards Redis), attributes.
func (s *scene) spoil(l *link, toxic, direction, attributes string) {
	s.Helper()
	_, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, toxic, direction, attributes)))
	if err != nil {
		s.Fatalf("add %s %s to a link: %v", direction, toxic, err)
	}
}

// heal removes all toxics.
func (l *link) heal() { l.proxy.Toxics.ResetToxics(context.Background()) }
