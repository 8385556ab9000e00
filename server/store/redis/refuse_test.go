package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// unavailable wants calls to be refused with nothing taken, for a reason in words, and the counter to stay at last.
func (n *node) unavailable(r *redistest.Server, id, last, reason string) {
	n.t.Helper()
	for range 2 {
		_, _, err := n.take(id, 3)
		if !errors.Is(err, server.ErrUnavailable) || !strings.Contains(fmt.Sprint(err), reason) {
			n.t.Errorf("Reserve(%s) = %v; want it unavailable: %q", id, err, reason)
		}
	}
	if got := r.Do("GET", "turno:"+id); got != last {
		n.t.Errorf("the counter is %q after it was refused; want %q", got, last)
	}
}

// What Redis refuses takes nothing, says why, and works again when the reason is gone.
func TestRefused(t *testing.T) {
	tests := []struct {
		name         string
		options      redistest.Options
		user         string
		refuse, heal []string
		until        string // INFO persistence says that it has come to that
		reason       string
	}{
		{name: "memory is full", refuse: []string{"CONFIG SET maxmemory 1"}, heal: []string{"CONFIG SET maxmemory 0"}, reason: "Redis is at its maxmemory"},
		{name: "too few replicas", refuse: []string{"CONFIG SET min-replicas-to-write 1"}, heal: []string{"CONFIG SET min-replicas-to-write 0"}, reason: "fewer replicas in touch"},
		{name: "a snapshot failed", options: redistest.Options{Config: []string{"save 3600 1", "enable-protected-configs yes"}},
			refuse: []string{"CONFIG SET dir /proc", "BGSAVE"}, until: "rdb_last_bgsave_status:err",
			heal: []string{"CONFIG SET stop-writes-on-bgsave-error no"}, reason: "can't write to its disk"},
		{name: "the user may not write any more", options: redistest.Options{Config: []string{"user app on >pw ~turno:* +@all"}}, user: "app:pw@",
			refuse: []string{"ACL SETUSER app -mset"}, heal: []string{"ACL SETUSER app +mset"}, reason: "the user may not do this"},
		{name: "the user may not write one of the keys", options: redistest.Options{Config: []string{"user app on >pw ~turno:* +@all"}}, user: "app:pw@",
			refuse: []string{"ACL SETUSER app resetkeys ~turno:#* %R~turno:*"}, heal: []string{"ACL SETUSER app ~turno:*"}, reason: "the user may not do this"},
		{name: "the user may not run scripts any more", options: redistest.Options{Config: []string{"user app on >pw ~turno:* +@all"}}, user: "app:pw@",
			refuse: []string{"ACL SETUSER app -evalsha"}, heal: []string{"ACL SETUSER app +evalsha"}, reason: "the user may not do this"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := redistest.Start(t, tt.options)
			n := open(t, strings.Replace(r.URL(), "//", "//"+tt.user, 1))
			n.want("a", 5, 1)
			r.Run(tt.refuse...)
			eventually(t, tt.until, func() bool { return strings.Contains(r.Do("INFO", "persistence"), tt.until) })
			n.unavailable(r, "a", "5", tt.reason)
			n.unavailable(r, "new", "", tt.reason)
			call := n.call(server.Claim{ID: "a", N: 2})
			if err := n.Reserve(t.Context(), call); !errors.Is(err, server.ErrUnavailable) {
				t.Errorf("Reserve(a) = %v; want it unavailable", err)
			}
			r.Run(tt.heal...)
			wantBlocks(t, "asked again", call, n.Reserve(t.Context(), call), 6)
			if got := r.Do("GET", "turno:a"); got != "7" {
				t.Errorf("the counter is %s; want 7: what was refused before was done now", got)
			}
			n.received(call)
			n.want("a", 1, 8)
			n.want("new", 1, 1)
		})
	}
}

func TestReplica(t *testing.T) {
	master := redistest.Start(t, redistest.Options{Config: []string{"repl-diskless-sync-delay 0"}})
	r := redistest.Start(t, redistest.Options{})
	n := open(t, r.URL())
	n.want("a", 5, 1)
	r.Run("REPLICAOF 127.0.0.1 " + master.Port)
	eventually(t, "it is a replica in touch", func() bool { return strings.Contains(r.Do("INFO", "replication"), "master_link_status:up") })
	n.changed()
	if _, err := tryOpen(t, r.URL()); err == nil || !strings.Contains(err.Error(), "use its master, 127.0.0.1:"+master.Port) {
		t.Errorf("Open(a replica) = %v; want its master named", err)
	}
}

// A role that changes between two looks is refused by Redis itself.
func TestReadOnly(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := open(t, r.URL())
	n.want("a", 5, 1)
	r.Run("REPLICAOF 127.0.0.1 1") // nobody there: the dataset stays
	n.unavailable(r, "a", "5", "is a replica")
	r.Run("REPLICAOF NO ONE")
	n.changed()
	n.rejoin(0)
	n.want("a", 1, 6)
}

// Only what Redis itself refuses is certain. A proxy may say anything, also after the command was done.
func TestRefusals(t *testing.T) {
	w := words{secret: "s3cret"}
	tests := []struct {
		says  string
		is    error
		words string
	}{
		{"NOSCRIPT No matching script. Please use EVAL.", server.ErrChanged, ""},
		{"LOADING Redis is loading the dataset in memory", server.ErrUnavailable, "is loading its dataset"},
		{"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", server.ErrUnavailable, "busy"},
		{"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", server.ErrUnavailable, "lost its master"},
		{"CLUSTERDOWN Hash slot not served", server.ErrUnavailable, "the cluster is down"},
		{"MOVED 3999 127.0.0.1:6381", server.ErrUnavailable, "part of a cluster"},
		{"NOAUTH Authentication required.", server.ErrUnavailable, "wants a password"},
		{"ERR upstream failure", nil, "redis answered: ERR upstream failure"},
		{"upstream timeout", nil, "redis answered: upstream timeout"},
		{"ERR Error running script (call to f_1): s3cret", nil, "•••"},
		{"ERR unknown command 'AUTH', with args beginning with: 's3cret' ", nil, "unknown command 'AUTH'"},
		{"ERR The user executing the script can't run this command or subcommand script: 1, on @user_script:1.", server.ErrUnavailable, "may not do this"},
		{"OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:1.", server.ErrUnavailable, "maxmemory'.)"},
	}
	for _, tt := range tests {
		err := w.refusal(errors.New(tt.says))
		certain := errors.Is(err, server.ErrUnavailable) || errors.Is(err, server.ErrChanged)
		if tt.is != nil && !errors.Is(err, tt.is) || certain != (tt.is != nil) || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("refusal(%s) = %v; want %v, in words with %q", tt.says, err, tt.is, tt.words)
		}
	}
}

// Redis quotes 128 bytes of what it does not know: the beginning of a long password.
func TestLongPassword(t *testing.T) {
	w := words{secret: strings.Repeat("canary", 50)}
	if says := w.plain(errors.New("ERR unknown command 'AUTH', with args beginning with: '" + w.secret[:128] + "'")); strings.Contains(says, "canary") {
		t.Errorf("plain() = %s, with a part of the password", says)
	}
}
