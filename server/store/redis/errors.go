package redis

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
)

// words makes errors for people of those of Redis and the network.
type words struct {
	secret   string // which none of them holds
	tls      bool
	patience time.Duration

	partition bool // of a cluster
}

// errLate says that an attempt was given up before it was answered.
var errLate = errors.New("no answer in time")

// fault is the error of an attempt that got no answer.
func (w words) fault(a *attempt, err error) error {
	_, refused := rueidis.IsRedisErr(err) // the greeting was: an error that answers a command is not here
	op := &net.OpError{}
	late := errors.Is(err, os.ErrDeadlineExceeded) && !(errors.As(err, &op) && op.Op == "dial")
	switch ended := a.ctx.Err(); {
	case a.sent && !refused && ended != nil:
		return fmt.Errorf("%w: %w", errLate, ended)
	case a.sent && !refused && late:
		return errLate
	case a.sent && !refused:
		return fmt.Errorf("the answer was lost: %s", w.plain(err))
	case ended != nil:
		return fmt.Errorf("%w: %w", server.ErrUnavailable, ended)
	case late:
		return fmt.Errorf("%w: it accepts connections, but says nothing within %s", server.ErrUnavailable, w.patience)
	case !w.tls && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return fmt.Errorf("%w: it hung up at once: does it want TLS (rediss://)?", server.ErrUnavailable)
	case w.tls && (errors.Is(err, syscall.ECONNRESET) || strings.Contains(err.Error(), "certificate required")):
		return fmt.Errorf("%w: it hung up at once: does it want a certificate of ours (?cert=FILE&key=FILE)?", server.ErrUnavailable)
	default:
		return fmt.Errorf("%w: %s", server.ErrUnavailable, w.plain(err))
	}
}

// certain are the codes with which Redis itself refuses a command, so that it was not done; and what they mean for people.
// Any other error may come from a proxy that lost the answer of a command that was done.
var certain = map[string]string{
	"OOM":         "Redis is at its maxmemory",
	"READONLY":    "this Redis is a replica",
	"MISCONF":     "Redis can't write to its disk",
	"NOREPLICAS":  "Redis has fewer replicas in touch than min-replicas-to-write",
	"LOADING":     "Redis is loading its dataset",
	"BUSY":        "Redis is busy with someone's script",
	"MASTERDOWN":  "this Redis is a replica that has lost its master",
	"NOPERM":      "the user may not do this",
	"NOAUTH":      "Redis wants a password",
	"WRONGPASS":   "Redis does not accept the user and password",
	"CLUSTERDOWN": "the cluster is down",
	"MOVED":       "this Redis is part of a cluster",
	"CROSSSLOT":   "this Redis is part of a cluster",
}

// moving are the codes with which a node of a cluster refuses a command because of where the slot is.
var moving = map[string]bool{"MOVED": true, "ASK": true, "TRYAGAIN": true}

// elsewhere are the codes after which one connects anew, to whoever serves by then: this one may never do so again.
var elsewhere = map[string]bool{"CLUSTERDOWN": true, "READONLY": true}

// refusal is the error for one that Redis, or something before it, answered.
func (w words) refusal(err error) error {
	switch code := codeOf(err.Error()); {
	case code == "NOSCRIPT":
		return server.ErrChanged
	case w.partition && moving[code]:
		return fmt.Errorf("%w: its slot is another node's, or on its way there (%s)", server.ErrChanged, w.plain(err))
	case certain[code] != "":
		return fmt.Errorf("%w: %s", server.ErrUnavailable, w.plain(err))
	default:
		return fmt.Errorf("redis answered: %s", w.plain(err))
	}
}

// codeOf is the word that an error of Redis begins with, but for one that has none within a script.
func codeOf(text string) string {
	if strings.Contains(text, "The user executing the script can't") {
		return "NOPERM"
	}
	if strings.Contains(text, "access a non local key") { // a script, in a slot that moves
		return "TRYAGAIN"
	}
	code, _, _ := strings.Cut(text, " ")
	return code
}

// plain is what an error says, without secrets, and in plain words where we have them.
func (w words) plain(err error) string {
	text := err.Error()
	// Redis quotes the arguments of a command that it does not know: of AUTH, too, where that was renamed.
	text, _, _ = strings.Cut(text, ", with args beginning with")
	text, _, _ = strings.Cut(text, " script: ") // Redis 7 appends where in the script it was
	if w.secret != "" {
		text = strings.ReplaceAll(text, w.secret, "•••")
	}
	switch code := codeOf(text); {
	case certain[code] != "" && !(w.partition && moving[code]):
		return certain[code] + " (" + text + ")"
	case strings.HasPrefix(text, "TLS: tls: first record"), text == "TLS: context deadline exceeded":
		return "it does not speak TLS: redis:// instead of rediss://"
	case strings.Contains(text, "signed by unknown authority"):
		return text + " (?cacert=FILE names one)"
	}
	return text
}
