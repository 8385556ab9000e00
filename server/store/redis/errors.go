package redis

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
)

// fault is the error of an attempt that got no answer.
func (c *client) fault(err error, sent bool) error {
	if !sent || errors.Is(err, rueidis.ErrClosing) {
		return fmt.Errorf("%w: %s", server.ErrUnavailable, c.words(err))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w within %s", errLate, answerWithin)
	}
	return fmt.Errorf("no answer: %s", c.words(err))
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

// refusal is the error for one that Redis, or something before it, answered.
func (c *client) refusal(err error) error {
	code, _, _ := strings.Cut(err.Error(), " ")
	switch {
	case code == "NOSCRIPT":
		return server.ErrChanged
	case certain[code] != "":
		return fmt.Errorf("%w: %s", server.ErrUnavailable, c.words(err))
	default:
		return fmt.Errorf("redis answered: %s", c.words(err))
	}
}

// words are what an error says, without secrets, and in plain words where we have them.
func (c *client) words(err error) string {
	text := err.Error()
	// Redis quotes the arguments of a command that it does not know: of AUTH, too, where that was renamed.
	text, _, _ = strings.Cut(text, ", with args beginning with")
	text, _, _ = strings.Cut(text, " script: ") // Redis 7 appends where in the script it was
	if c.secret != "" {
		text = strings.ReplaceAll(text, c.secret, "•••")
	}
	code, _, _ := strings.Cut(text, " ")
	if plain := certain[code]; plain != "" {
		text = plain + " (" + text + ")"
	}
	return text
}
