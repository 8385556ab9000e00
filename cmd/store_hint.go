package cmd

import (
	"errors"
	"net/url"
	"strings"

	"github.com/turnomatico/tmctl/server/store/file"
)

// hintOf is what a person is told to do about err; empty when nothing.
func hintOf(err error) string {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.hint
	}
	return ""
}

// storeHint says what to do about a store that can't be opened.
func storeHint(rawURL string, err error) string {
	if e, ok := errors.AsType[*file.OpenError](err); ok {
		return e.Hint
	}
	if u, e := url.Parse(firstHost(rawURL)); e == nil && strings.HasPrefix(u.Scheme, "redis") {
		return redisHint(u, err.Error())
	}
	return ""
}

// firstHost leaves the first of several hosts in a URL: net/url knows one only.
func firstHost(rawURL string) string {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	end := len(rest)
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		end = at
	}
	begin := strings.LastIndex(rest[:end], "@") + 1
	host, _, _ := strings.Cut(rest[begin:end], ",")
	return scheme + "://" + rest[:begin] + host + rest[end:]
}

// redisHint looks for the words of Redis, of TLS and of the system in an error of the client's, which has no types for them.
func redisHint(u *url.URL, says string) string {
	for _, h := range redisHints {
		if strings.Contains(says, h.says) && (h.scheme == "" || h.scheme == u.Scheme) && (!h.local || local(u.Hostname())) {
			return strings.NewReplacer("HOST", u.Host, "NAME", u.Hostname(), "SOCKET", u.Path).Replace(h.hint)
		}
	}
	return "redis-cli -u URL ping tries it without tmctl"
}

// Hints about silence and TLS. A server may close the connection without a word, or before its word is read.
const (
	noTLS     = "that port speaks no TLS: redis://HOST, or another port with rediss://"
	silent    = "nobody answers at HOST: a firewall or a security group between, or a port with TLS (rediss://)?"
	closed    = "does that port want TLS? With it is rediss://HOST"
	closedTLS = "does that port speak TLS (without it is redis://HOST), and does it want a client's certificate (?cert=FILE&key=FILE)?"
)

// redisHints are the ways in which a Redis can't be opened; the first that fits is taken.
var redisHints = []struct {
	says   string
	scheme string // where it means that; empty: all
	local  bool   // where it means that on this machine only
	hint   string
}{
	{says: "No such master", hint: "the name comes after the hosts; redis-cli -h HOST -p 26379 SENTINEL MASTERS lists those that a Sentinel knows"},
	{says: "its own password", hint: "?sentinel_username= and ?sentinel_password= are for the Sentinels, USER:PASSWORD@ is for Redis; better in the environment (TMCTL_SERVE_STORE) than in the command line"},
	{says: "not a Sentinel", hint: "name the Sentinels, at port 26379; or without them redis://HOST"},
	{says: "is a failover under way", hint: "try again in some seconds; if it stays so, the Sentinels watch another set than this one"},
	{says: "no Sentinel says", hint: "are Sentinels running at HOST? `apt install redis-sentinel` installs and starts one"},
	{says: "connection refused", local: true, hint: "is Redis running here, on this port? `apt install redis-server` installs and starts one"},
	{says: "connection refused", scheme: "redis+unix", hint: "is Redis running? redis.conf's unixsocket is where it listens"},
	{says: "connection refused", hint: "nothing listens at HOST: is it the right host and port, and Redis running?"},
	{says: "no such file or directory", scheme: "redis+unix", hint: "is Redis running? redis.conf's unixsocket is where it listens"},
	{says: "permission denied", scheme: "redis+unix", hint: "let this user use the socket: redis.conf's unixsocketperm 770, and the user in the group redis"},
	{says: "no such host", hint: "is the name NAME right?"},
	{says: "WRONGPASS", hint: "is it the right user and password? In a URL every character of them but letters and digits is written as %XX; a Redis without ACL users has a password only: redis://:PASSWORD@HOST"},
	{says: "NOAUTH", hint: "redis://USER:PASSWORD@HOST, or redis://:PASSWORD@HOST without a user; better in the environment (TMCTL_SERVE_STORE) than in the command line"},
	{says: "called without any password configured", hint: "this Redis has no password: leave it out of the URL"},
	{says: "NOPERM", hint: "tmctl doctor --store URL says which permissions are missing"},
	{says: "DB index is out of range", hint: "redis.conf's databases is how many there are, from 0: 16 unless it was changed"},
	{says: "certificate signed by unknown authority", hint: "name the authority that signed it: ?cacert=FILE, in PEM"},
	{says: "certificate is valid for", hint: "use a name that the certificate is for"},
	{says: "doesn't contain any IP SANs", hint: "use the name that the certificate is for, not an address"},
	{says: "certificate has expired", hint: "its certificate is too old, or this machine's clock is wrong"},
	{says: "certificate required", hint: "the server wants a client's certificate: ?cert=FILE&key=FILE"},
	{says: "does not look like a TLS handshake", hint: noTLS},
	{says: "not speak TLS", hint: noTLS},
	{says: "EOF", scheme: "rediss", hint: closedTLS},
	{says: "connection reset", scheme: "rediss", hint: closedTLS},
	{says: "broken pipe", scheme: "rediss", hint: closedTLS},
	{says: "hung up", scheme: "rediss", hint: closedTLS},
	{says: "hung up", scheme: "redis", hint: closed},
	{says: "EOF", scheme: "redis", hint: closed},
	{says: "connection reset", scheme: "redis", hint: closed},
	{says: "invalid port", hint: "ports are 1 to 65535"},
	{says: "deadline exceeded", scheme: "rediss", hint: "nobody answers at HOST: a firewall or a security group between, or a port without TLS (redis://)?"},
	{says: "i/o timeout", hint: silent},
	{says: "deadline exceeded", hint: silent},
	{says: "nothing within", hint: silent},
	{says: "DENIED", hint: "give Redis a password (requirepass), or have it listen on 127.0.0.1 only"},
	{says: "replica", hint: "numbers are written on the master only: name that one"},
	{says: "no part of a cluster", hint: "redis://HOST is for a Redis alone"},
	{says: "a redis:// store is one Redis alone", hint: "redis+cluster://HOST is for a cluster; one of its nodes is enough, for it tells of the others"},
	{says: "part of a cluster", hint: "redis+cluster://HOST is for a cluster"},
	{says: "has slots yet", hint: "redis-cli --cluster create makes one cluster of nodes"},
	{says: "serves slot", hint: "redis-cli --cluster check HOST says which slots nobody serves, and --cluster fix mends it"},
	{says: "the cluster is down", hint: "redis-cli --cluster check HOST says why"},
	{says: "LOADING", hint: "it is reading its files after a start: try again when it is done"},
	{says: "OOM", hint: "give it more memory: CONFIG SET maxmemory; and keep maxmemory-policy noeviction"},
	{says: "MISCONF", hint: "Redis can't write its files: look at its log, and at its disk"},
	{says: "cacert", hint: "?cacert= is the path of a file in PEM, readable for this user"},
	{says: "?cert=", hint: "?cert= and ?key= are the paths of files in PEM, readable for this user"},
}

func local(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}
