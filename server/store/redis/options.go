package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// Options say where a Redis is and how to get in. [Parse] makes them of a URL.
type Options struct {
	Password string        // the URL's; who has it from elsewhere sets it here
	Grace    time.Duration // how long a node waits for others after the store has changed

	patience time.Duration                              // with a command; tests on a busy machine have more
	pause    func(context.Context, time.Duration) error // waits; tests have another

	name          string                                         // the URL without secrets
	network, addr string                                         // as of net.Dial
	where         func(context.Context) (addr string, err error) // asked at each dial for who serves now; nil: addr does
	host          string                                         // whose certificate is expected; empty without TLS
	tls           bool
	user          string
	db            int
	prefix        string
	ca, cert, key string // files in PEM
}

const (
	// DefaultPrefix begins the name of every key.
	DefaultPrefix = "turno:"
	// DefaultGrace is longer than it takes the other nodes to notice: they look a few times a second.
	DefaultGrace = time.Second

	defaultPort = "6379"
	maxPrefix   = 64
)

// The schemes of a URL, and the query keys that each knows.
const (
	schemeTCP, schemeTLS, schemeUnix = "redis", "rediss", "redis+unix"
)

var queryKeys = map[string][]string{
	schemeTCP:  {"prefix"},
	schemeTLS:  {"prefix", "cacert", "cert", "key"},
	schemeUnix: {"prefix", "db"},
}

// Parse reads a URL: redis://[user[:password]@]host[:port][/db][?prefix=turno:], rediss:// the same with TLS and besides
// ?cacert=FILE, ?cert=FILE&key=FILE, or redis+unix://[user[:password]@]/path/of/the/socket[?db=N][&prefix=turno:].
// It has no effects. Its errors quote nothing that may be part of a password, however wrongly that was written.
func Parse(rawURL string) (Options, error) {
	u, err := url.Parse(rawURL)
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
		return Options{}, errors.New("the scheme is none of redis://, rediss://, redis+unix://")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Options{}, errors.New("the part after ? can't be read: write special characters as %XX")
	}
	for key := range query {
		if !slices.Contains(known, key) {
			return Options{}, fmt.Errorf("%s:// knows no ?%s=; it knows %s", u.Scheme, key, strings.Join(known, ", "))
		}
	}
	o := Options{
		Grace: DefaultGrace, patience: answerWithin, pause: pause, tls: u.Scheme == schemeTLS, user: u.User.Username(), prefix: DefaultPrefix,
		ca: query.Get("cacert"), cert: query.Get("cert"), key: query.Get("key"),
	}
	o.Password, _ = u.User.Password()
	if query.Has("prefix") {
		o.prefix = query.Get("prefix")
	}
	if err := o.place(u, query); err != nil {
		return Options{}, err
	}
	if err := o.validate(); err != nil {
		return Options{}, err
	}
	o.name = nameOf(u)
	return o, nil
}

// place reads where the server is, and which of its databases is meant.
func (o *Options) place(u *url.URL, query url.Values) error {
	db := strings.TrimPrefix(u.Path, "/")
	if u.Scheme == schemeUnix {
		if u.Host != "" || len(u.Path) < 2 {
			return errors.New("redis+unix:// wants the path of a socket: redis+unix:///run/redis/redis.sock")
		}
		o.network, o.addr = "unix", u.Path
		db = query.Get("db")
	} else {
		if u.Hostname() == "" {
			return fmt.Errorf("%s:// wants a host: %s://localhost", u.Scheme, u.Scheme)
		}
		port := u.Port()
		if port == "" {
			port = defaultPort
		}
		o.network, o.addr = "tcp", net.JoinHostPort(u.Hostname(), port)
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

// nameOf is the URL without its password.
func nameOf(u *url.URL) string {
	shown := *u
	if u.User != nil {
		shown.User = nil
		if user := u.User.Username(); user != "" {
			shown.User = url.User(user)
		}
	}
	return shown.String()
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
