package redis

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// parseURL is url.Parse for URLs that may name several hosts: u has the first, hosts are all as they are written.
func parseURL(rawURL string) (u *url.URL, hosts []string, err error) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		u, err = url.Parse(rawURL)
		return u, []string{""}, err
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	begin := strings.LastIndexByte(rest[:end], '@') + 1
	hosts = strings.Split(rest[begin:end], ",")
	u, err = url.Parse(scheme + "://" + rest[:begin] + hosts[0] + rest[end:])
	return u, hosts, err
}

// addresses are the hosts with their ports.
func addresses(scheme string, hosts []string, defaultPort string) (addrs []string, err error) {
	for _, host := range hosts {
		u, err := url.Parse("tcp://" + host)
		if err != nil || u.Hostname() == "" || u.Host != host { // what can't be read may be part of a password
			return nil, fmt.Errorf("%s:// wants a host: %s://localhost", scheme, scheme)
		}
		port := u.Port()
		if port == "" {
			port = defaultPort
		}
		addrs = append(addrs, net.JoinHostPort(u.Hostname(), port))
	}
	return addrs, nil
}

// secretKeys are what a name leaves out of the query.
var secretKeys = []string{"sentinel_password"}

// nameOf is the URL without its passwords.
func nameOf(u *url.URL, hosts []string) string {
	shown := *u
	if u.User != nil {
		shown.User = nil
		if user := u.User.Username(); user != "" {
			shown.User = url.User(user)
		}
	}
	shown.Host = strings.Join(hosts, ",")
	shown.RawQuery = strings.Join(slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(pair string) bool {
		key, _, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		return err != nil || slices.Contains(secretKeys, key)
	}), "&")
	return shown.String()
}

// Name is the URL without its passwords.
func (o Options) Name() string { return o.name }
