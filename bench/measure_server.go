package main

import (
	"context"
	"regexp"
)

// measureServer compares the CPU that a turn costs with what nginx takes to answer a constant: the least that HTTP costs
// here. wrk drives both the same way, in turn.
func measureServer(ctx context.Context, b *bench) ([]row, error) {
	if b.tools.wrk == "" {
		return nil, nil
	}
	ours, err := b.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	all := []contender{{"tmctl serve", b.driven(ours)}}
	if b.tools.nginx != "" {
		body, err := ask(ctx, ours.url)
		if err != nil {
			return nil, err
		}
		peer, err := b.constant(ctx, sameLength(string(body)))
		if err != nil {
			return nil, err
		}
		defer peer.stop()
		all = append(all, contender{"nginx", b.driven(peer)})
	}
	got := b.interleave(ctx, "server", all)
	serve, nginx := got["tmctl serve"], got["nginx"]
	return []row{
		against("nginx", nginx, row{Figure: "server: CPU a request", Unit: "µs", limit: atMost(1.4, 1.0)}, serverCPU, serve),
		against("nginx", nginx, row{Figure: "server: requests a second under wrk", Unit: "/s"}, rate, serve),
		against("nginx", nginx, row{Figure: "server: size of an answer", Unit: "bytes"}, answerSize, serve),
	}, nil
}

// sameLength is an answer as long as most of a run's are: a run soon hands out numbers of seven digits.
func sameLength(body string) string {
	return regexp.MustCompile(`("turno":)\d+`).ReplaceAllString(body, "${1}1000000")
}

// driven is a run of wrk with the server's CPU time around it.
func (b *bench) driven(s *service) func(context.Context) (sample, error) {
	return func(ctx context.Context) (sample, error) {
		before, err := s.cpu()
		if err != nil {
			return nil, err
		}
		got, err := b.wrk(ctx, s.url)
		if err != nil {
			return nil, err
		}
		after, err := s.cpu()
		if err != nil {
			return nil, err
		}
		got[serverCPU] = perRequest(after-before, uint64(got[requests]))
		return got, nil
	}
}
