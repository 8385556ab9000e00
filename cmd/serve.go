package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/report"
	"github.com/turnomatico/tmctl/server"
)

// serveOptions are serve's flags.
type serveOptions struct {
	server.Config
	store     string
	bounds    server.Bounds
	journal   string
	logFormat string
}

func newServe(env *Env) *cobra.Command {
	o := &serveOptions{Config: server.DefaultConfig(), bounds: server.DefaultBounds()}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Hand out turnos",
		Long: `serve is one node of the turn service. GET or POST /turno/{id} takes the next number of an id:
GET http://127.0.0.1:7017/turno/grupo1 → {"id":"grupo1","turno":42}. Prefer POST: proxies and clients may repeat a GET
unasked, and each repetition takes a number.

--store says where the counters are, and so what lasts:

    memory              to try it: they start again at 1 after a restart
    file:DIR            one node, nothing to install: a number is on disk before it is answered
    redis://localhost   several nodes share one Redis (apt install redis-server); what lasts is as Redis is configured
    rediss://USER:PASSWORD@HOST:6380/0?cacert=FILE   a managed Redis, with TLS
    redis+sentinel://HOST,HOST,HOST/NAME   the master NAME that these Sentinels watch; rediss+sentinel:// with TLS; the
                        Sentinels' own password is ?sentinel_password=. With ?wait=1 (for every Redis) a number is on
                        one replica before it is answered
    redis+cluster://HOST,HOST,HOST   a Redis Cluster: the ids are spread over its masters; rediss+cluster:// with TLS

What the store promises is logged at the start, and what is dangerous about it: tmctl doctor tries it before. A password
is better kept out of the command line, where ps shows it: put the URL into TMCTL_SERVE_STORE.

A client that got no answer may ask again with the same Idempotency-Key: all requests of one key and id get one number, from
any node, for --session-ttl.

A store can go back: restored from a backup, emptied, failed over to a replica that was behind. A node that notices gives
no number twice. With --on-rollback stop the ids concerned are refused until someone moves their counters forward (tmctl
counters set); with jump they go on by themselves, and the numbers skipped are declared in /v1/snapshot.

With --tls-cert and --tls-key the public listener speaks TLS 1.2 and 1.3. SIGHUP reads both files anew: new connections
get the new certificate, and a pair that can't be used is refused, with a word in the log, while the old one stays.

With --journal (or TMCTL_JOURNAL) what happens to the node is appended to a file, which several nodes can share: start, ready,
stop with the ledger; the store when it fails, changes, goes back; certificates; shedding. tmctl events reads it. It is
rotated at 16 MiB (FILE.1 … FILE.16), and never holds up a number: events that can't be written in time are counted.

The admin plane is a listener of its own: /healthz, /readyz, /metrics, /v1/snapshot, /v1/counters/{id}, /debug/pprof.

^C or SIGTERM stops in order, so that no request fails: /readyz fails, balancers get --drain to notice (if any asks),
every answer closes its connection, what is in flight is finished. A second ^C forces.`,
		Example: "  tmctl serve\n  tmctl serve --store file:/var/lib/turnos\n  tmctl serve --store redis://localhost --on-rollback jump\n  tmctl serve --addr :7017 --admin 127.0.0.1:0 --log-format json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(c.Context(), env)
		},
	}
	o.addFlags(c)
	return c
}

func (o *serveOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.Addr, "addr", o.Addr, "serve turnos on this `host:port`; port 0 takes a free one")
	f.StringVar(&o.Admin, "admin", o.Admin, "serve the admin plane on this `host:port`; empty for none")
	f.StringVar(&o.store, "store", server.DefaultStore, "`URL` of the store that keeps the counters: "+storeNames)
	choiceFlag(c, &o.OnRollback, "on-rollback", server.OnRollbacks, fmt.Sprintf("when the store has gone back: refuse the id until its counter is moved forward (stop), or go on %s numbers further (jump)", report.Count(server.JumpMargin)))
	f.IntVar(&o.bounds.IDs, "max-ids", o.bounds.IDs, "refuse new ids above this many")
	f.IntVar(&o.bounds.Sessions, "max-sessions", o.bounds.Sessions, "refuse new idempotency keys while this many have a number; 0 to refuse all")
	f.DurationVar(&o.bounds.SessionTTL, "session-ttl", o.bounds.SessionTTL, "keep the number of an idempotency key this long")
	f.IntVar(&o.MaxInFlight, "max-inflight", o.MaxInFlight, "shed requests when this many wait for the store; of one id alone, eight ninths of them")
	f.IntVar(&o.MaxConns, "max-conns", o.MaxConns, "refuse connections above this many; ulimit -n must be larger")
	f.IntVar(&o.MaxConnsPerIP, "max-conns-per-ip", 0, "refuse connections of one address (IPv6: of one /64) above this many; 0 for no bound, since a load test and a balancer come from one")
	f.Var((*prefixesValue)(&o.TrustedProxies), "trusted-proxies", "addresses or `CIDRs`, comma-separated, that --max-conns-per-ip does not concern: proxies, from which many clients come")
	f.DurationVar(&o.RequestTimeout, "request-timeout", o.RequestTimeout, "give the store this long to answer; when it has not answered for half of it, newcomers are shed at once")
	f.DurationVar(&o.Drain, "drain", o.Drain, "when stopping, give balancers this long to notice that /readyz fails")
	f.StringVar(&o.TLSCert, "tls-cert", "", "speak TLS with the certificate in this `file` (PEM, with the intermediate ones); SIGHUP reads it anew")
	f.StringVar(&o.TLSKey, "tls-key", "", "`file` with the key of --tls-cert (PEM, without a password)")
	f.StringVar(&o.journal, "journal", "", "append what happens to this node to this `file`, for tmctl events; without it TMCTL_JOURNAL, if that is set")
	o.logFormat = logFormats[0]
	choiceFlag(c, &o.logFormat, "log-format", logFormats, "write logs for people (text) or for machines (json)")
}

func (o *serveOptions) validate() error {
	if err := o.Validate(); err != nil {
		return usageError("see tmctl serve --help", "--%w", err)
	}
	switch b := o.bounds; {
	case b.IDs < 1:
		return usageError("each id needs about 100 bytes of memory", "--max-ids %d: want at least 1", b.IDs)
	case b.Sessions < 0:
		return usageError("each key needs about 200 bytes of memory", "--max-sessions %d: want 0 or more", b.Sessions)
	case b.SessionTTL < time.Second || b.SessionTTL > server.MaxSessionTTL:
		return usageError("clients retry within minutes", "--session-ttl %s: want 1s to %s", b.SessionTTL, server.MaxSessionTTL)
	}
	return validStore(o.store)
}

func (o *serveOptions) run(ctx context.Context, env *Env) error {
	o.Version, o.PID = build().Version, os.Getpid()
	o.Log = newLog(env, o.logFormat)
	if path := journalFor(env, o.journal); path != "" {
		j, err := keepJournal(env, path, o.Log)
		if err != nil {
			return err
		}
		defer j.close(ctx)
		o.Config.Journal = j
	}
	// A store that can't be opened ends serve at once: whoever starts it, starts it again, and meanwhile sees why.
	store, err := openStore(ctx, o.store, o.bounds, o.Log)
	if err != nil {
		return err
	}
	if hasPassword(o.store) && o.store != env.Getenv("TMCTL_SERVE_STORE") {
		o.Log.Warn("whoever may run ps here can read the password in the command line: put the store's URL into TMCTL_SERVE_STORE")
	}
	for _, w := range store.Info().Warnings {
		o.Log.Warn("store warning", "says", w)
	}
	s, err := server.Listen(ctx, o.Config, store)
	if err != nil {
		return errors.Join(certificateHint(listenHint(err)), store.Close())
	}
	if o.TLSCert != "" {
		defer reloadOnHangup(s, o.Log)()
	}
	return errors.Join(s.Run(ctx), store.Close())
}

// listenHint says what to do about a listener that can't be opened.
func listenHint(err error) error {
	var e *server.ListenError
	if !errors.As(err, &e) {
		return err
	}
	flag := "--addr"
	if e.Admin {
		flag = "--admin"
	}
	hint := "choose another " + flag
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		_, port, _ := net.SplitHostPort(e.Addr) // Validate has split it before
		hint += ", port 0 for a free one; `ss -ltnp sport = :" + port + "` says who has it"
	case errors.Is(err, syscall.EACCES):
		hint += " with a port above 1023"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint += ": this machine has no such address"
	}
	return withHint(err, hint)
}
