package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"strings"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
)

// need is a command that is tried on keys of our own.
type need struct {
	acl      string // as in ACL SETUSER
	command  string // K stands for the key
	optional bool   // nodes work without
}

// needs are what nodes and operators use.
var needs = []need{
	{acl: "+set", command: "SET K 1"},
	{acl: "+get", command: "GET K"},
	{acl: "+mget", command: "MGET K"},
	{acl: "+mset", command: "MSET K 2"},
	{acl: "+exists", command: "EXISTS K"},
	{acl: "+type", command: "TYPE K"},
	{acl: "+pexpire", command: "PEXPIRE K 10000"},
	{acl: "+pexpireat", command: "PEXPIREAT K 33000000000000"},
	{acl: "+sadd", command: "SADD K:set 1"},
	{acl: "+scard", command: "SCARD K:set"},
	{acl: "+sismember", command: "SISMEMBER K:set 1"},
	{acl: "+hset", command: "HSET K:hash a 1"},
	{acl: "+hget", command: "HGET K:hash a"},
	{acl: "+hgetall", command: "HGETALL K:hash"},
	{acl: "+hincrby", command: "HINCRBY K:hash n 1"},
	{acl: "+hexists", command: "HEXISTS K:hash a"},
	{acl: "+hdel", command: "HDEL K:hash a"},
	{acl: "+time", command: "TIME"},
	{acl: "+eval", command: "EVAL return(1) 1 K"},
	{acl: "+script|load", command: "SCRIPT LOAD return(1)"},
	{acl: "+evalsha", command: "EVALSHA 930269f31393d0be681588b6ab08dccee7d6bb67 1 K"}, // return(1)
	{acl: "+info", command: "INFO server", optional: true},
	{acl: "+config|get", command: "CONFIG GET save", optional: true},
	{acl: "+scan", command: "SCAN 0", optional: true},
	{acl: "+sscan", command: "SSCAN K:set 0", optional: true},
}

// permitted tries what nodes do, and says what the user may not. Who may not DEL either leaves a key for 10 seconds.
func (s *Store) permitted(ctx context.Context) server.Finding {
	key := s.prefix + "#doctor:" + rand.Text()[:16]
	var commands []rueidis.Completed
	for _, n := range needs {
		words := strings.Fields(n.command)
		for i, word := range words {
			if word == "K" || strings.HasPrefix(word, "K:") {
				words[i] = key + word[1:]
			}
		}
		commands = append(commands, s.client.B().Arbitrary(words...).Build())
	}
	for _, part := range []string{"", ":set", ":hash"} {
		commands = append(commands, s.client.B().Pexpire().Key(key+part).Milliseconds(10_000).Build(), s.client.B().Del().Key(key+part).Build())
	}
	answers, err := s.client.do(ctx, commands...)
	if err != nil {
		return finding("permissions", server.Fail, "", "%v", err)
	}
	var denied, missing []string
	keys := ""
	for i, n := range needs {
		switch err := answers[i].Error(); {
		case err == nil || rueidis.IsRedisNil(err):
		case strings.HasPrefix(err.Error(), "NOPERM") && strings.Contains(err.Error(), "keys"):
			keys = "~" + s.options.prefix + "* "
		case !strings.HasPrefix(err.Error(), "NOPERM"):
			return finding("permissions", server.Fail, "", "%s is refused: %s", n.command, s.client.desk.words.plain(err))
		case n.optional:
			missing = append(missing, n.acl)
		default:
			denied = append(denied, n.acl)
		}
	}
	user := "ACL SETUSER " + cmp.Or(s.options.user, "default") + " "
	wanted := strings.TrimSpace(keys + strings.Join(append(denied, missing...), " "))
	switch {
	case len(denied) > 0 || keys != "":
		return finding("permissions", server.Fail, user+wanted, "the user lacks what nodes need: %s", strings.TrimSpace(keys+strings.Join(denied, " ")))
	case len(missing) > 0:
		return finding("permissions", server.Warn, user+wanted, "all that nodes need; without %s less is known, and counters can't be listed", strings.Join(missing, " "))
	default:
		return finding("permissions", server.OK, "", "all that is needed")
	}
}
