package redis

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// Options say where a Redis is and how to get in. [Parse] makes them of a URL.
type Options struct {
	Password         string        // the URL's; who has it from elsewhere sets it here
	SentinelPassword string        // likewise, of the Sentinels
	Grace            time.Duration // how long a node waits for others after the store has changed

	patience   time.Duration                              // with a command; tests on a busy machine have more
	pause      func(context.Context, time.Duration) error // waits; tests have another
	chartLasts time.Duration                              // how soon a cluster's nodes may be asked again; tests don't wait

	name          string                                         // the URL without secrets
	network, addr string                                         // as of net.Dial
	where         func(context.Context) (addr string, err error) // asked at each dial for who serves now; nil: addr does
	host          string                                         // whose certificate is expected; empty without TLS
	tls           bool
	user          string
	db            int
	prefix        string
	ca, cert, key string // files in PEM
	replicas      int    // that must have a number before it is answered (wait.go)

	sentinels    []string // host:port of each; none: addr is the Redis
	master       string   // what they call it
	sentinelUser string

	seeds      []string // host:port of some of a cluster's nodes; none: it is no cluster
	partitions int      // that its ids are spread over; 0: as many as they are
	partition  bool     // this is one of them (cluster.go)
}

const (
	// DefaultPrefix begins the name of every key.
	DefaultPrefix = "turno:"
	// DefaultGrace is longer than it takes the other nodes to notice: they look a few times a second.
	DefaultGrace = time.Second
	// SentinelGrace is longer than it takes Sentinels to tell each other, and they the nodes: they do so every two seconds.
	SentinelGrace = 3 * time.Second

	defaultPort         = "6379"
	defaultSentinelPort = "26379"
	maxPrefix           = 64
)

// The schemes of a URL, and the query keys that each knows.
const (
	schemeTCP, schemeTLS, schemeUnix  = "redis", "rediss", "redis+unix"
	schemeSentinel, schemeSentinelTLS = "redis+sentinel", "rediss+sentinel"
	schemeCluster, schemeClusterTLS   = "redis+cluster", "rediss+cluster"
)

var queryKeys = map[string][]string{
	schemeTCP:         {"prefix", "wait"},
	schemeTLS:         {"prefix", "cacert", "cert", "key", "wait"},
	schemeUnix:        {"prefix", "db", "wait"},
	schemeSentinel:    {"prefix", "sentinel_username", "sentinel_password", "wait"},
	schemeSentinelTLS: {"prefix", "sentinel_username", "sentinel_password", "cacert", "cert", "key", "wait"},
	schemeCluster:     {"prefix", "partitions", "wait"},
	schemeClusterTLS:  {"prefix", "partitions", "cacert", "cert", "key", "wait"},
}

// Parse reads a URL: redis://[user[:password]@]host[:port][/db][?prefix=turno:], rediss:// the same with TLS and besides
// ?cacert=FILE, ?cert=FILE&key=FILE, or redis+unix://[user[:password]@]/path/of/the/socket[?db=N][&prefix=turno:]; or
// redis+sentinel://[user[:password]@]h1[:port],h2,…/MASTERNAME[/db][?sentinel_username=U&sentinel_password=P], where user and
// password are the master's, and rediss+sentinel:// the same with TLS to Sentinels and Redis; or
// redis+cluster://[user[:password]@]h1[:port],h2,…[?partitions=16], and rediss+cluster://. ?wait=N goes with all.
// It has no effects. Its errors quote nothing that may be part of a password, however wrongly that was written.
func Parse(rawURL string) (Options, error) {
	u, hosts, err := parseURL(rawURL)
	if err != nil {
		return Options{}, errors.New("not a URL that can be read: in a user or password, write every character but letters and digits as %XX")
	}
	ats := 0
	if u.User != nil {
		ats = 1
	}
	if strings.Contains(rawURL, "#") || strings.Count(rawURL, "@") > ats {
		return Options{}, errors.New("a # or @ where none may be: in a user or password, write every character but letters and digits as %XX")
	}
	known, ok := queryKeys[u.Scheme]
	if !ok {
		return Options{}, errors.New("the scheme is none of redis://, rediss://, redis+unix://, redis+sentinel://, rediss+sentinel://, redis+cluster://, rediss+cluster://")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Options{}, errors.New("the part after ? can't be read: write special characters as %XX")
	}
	for key := range query {
		if !slices.Contains(known, key) && query.Has("sentinel_password") { // and the key may be part of it
			return Options{}, fmt.Errorf("a query key that %s:// does not know; in a password, write every character but letters and digits as %%XX", u.Scheme)
		}
		if !slices.Contains(known, key) {
			return Options{}, fmt.Errorf("%s:// knows no ?%s=; it knows %s", u.Scheme, key, strings.Join(known, ", "))
		}
	}
	o := Options{
		Grace: DefaultGrace, patience: answerWithin, pause: pause, tls: strings.HasPrefix(u.Scheme, schemeTLS), user: u.User.Username(), prefix: DefaultPrefix,
		ca: query.Get("cacert"), cert: query.Get("cert"), key: query.Get("key"),
		sentinelUser: query.Get("sentinel_username"), SentinelPassword: query.Get("sentinel_password"),
	}
	o.Password, _ = u.User.Password()
	if query.Has("prefix") {
		o.prefix = query.Get("prefix")
	}
	if query.Has("wait") {
		if o.replicas, err = strconv.Atoi(query.Get("wait")); err != nil || o.replicas < 0 {
			return Options{}, errors.New("?wait= is how many replicas must have a number before it is answered: 0 or more")
		}
	}
	if err := o.place(u, hosts, query); err != nil {
		return Options{}, err
	}
	if err := o.validate(); err != nil {
		return Options{}, err
	}
	o.name = nameOf(u, hosts)
	return o, nil
}

// place reads where the server is, and which of its databases is meant.
func (o *Options) place(u *url.URL, hosts []string, query url.Values) error {
	db := strings.TrimPrefix(u.Path, "/")
	switch u.Scheme {
	case schemeUnix:
		if u.Host != "" || len(u.Path) < 2 {
			return errors.New("redis+unix:// wants the path of a socket: redis+unix:///run/redis/redis.sock")
		}
		o.network, o.addr = "unix", u.Path
		db = query.Get("db")
	case schemeSentinel, schemeSentinelTLS:
		var err error
		if o.sentinels, err = addresses(u.Scheme, hosts, defaultSentinelPort); err != nil {
			return err
		}
		o.network, o.addr, o.Grace = "tcp", strings.Join(o.sentinels, ","), SentinelGrace
		if o.master, db, _ = strings.Cut(db, "/"); o.master == "" {
			return fmt.Errorf("%s:// wants the name that the Sentinels have for the master: %s://HOST,HOST,HOST/mymaster", u.Scheme, u.Scheme)
		}
	case schemeCluster, schemeClusterTLS:
		if db != "" {
			return fmt.Errorf("%s:// has no databases: end it with the hosts", u.Scheme)
		}
		return o.placeCluster(u.Scheme, hosts, query)
	default:
		addrs, err := addresses(u.Scheme, hosts, defaultPort)
		if err != nil {
			return err
		}
		if len(addrs) > 1 {
			return fmt.Errorf("%s:// is one Redis; several hosts are for redis+sentinel:// and redis+cluster://", u.Scheme)
		}
		o.network, o.addr = "tcp", addrs[0]
		if o.tls {
			o.host = u.Hostname()
		}
	}
	if db == "" {
		return nil
	}
	var err error
	if o.db, err = strconv.Atoi(db); err != nil || o.db < 0 {
		return fmt.Errorf("the database %q is no number", db)
	}
	return nil
}

func (o *Options) validate() error {
	if (o.cert == "") != (o.key == "") {
		return errors.New("?cert= and ?key= go together")
	}
	if len(o.prefix) > maxPrefix {
		return fmt.Errorf("?prefix= has %d bytes; it may have %d", len(o.prefix), maxPrefix)
	}
	// Then no key of one prefix is a key of another.
	if o.prefix != "" && api.ValidID(o.prefix[len(o.prefix)-1:]) {
		return errors.New("?prefix= must end in a character that no id has, such as a colon")
	}
	return nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitWithin is how long replicas may take to acknowledge; the connection is given up a while after.
func (o *Options) waitWithin() time.Duration { return o.patience / 2 }
