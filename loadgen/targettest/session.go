package targettest

import (
	"sync"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

// keyed asks for Idempotency-Keys: a share of the requests has one. The retries are as many again, or a little more.
func keyed(share string, more ...string) []string {
	return append([]string{"--idempotency-key-ratio", share}, more...)
}

// sessions are servers that know what an Idempotency-Key is, or think so.
var sessions = []Behaviour{
	{Name: "sessions", Doc: "knows Idempotency-Key: one number for each key of an id, from either of two nodes", Want: pass,
		Args: keyed("0.5", "--ids", "2"), Nodes: 2, declares: nothing, act: once},
	{Name: "sessions-thinking", Doc: "knows Idempotency-Key, and takes its time: retries come while the first request waits", Want: pass,
		Args: keyed("0.5"), Nodes: 2, Latency: 5 * time.Millisecond, act: slowly},
	{Name: "sessions-resets", Doc: "resets the connection in the middle of an answer, once in a period; the retry brings the number",
		Want: Want{Verdict: history.Pass, Reason: history.Reset}, Args: laxly(keyed("1")...), Nodes: 2, Period: 50, declares: nothing, act: keptThen(torn)},
	{Name: "sessions-silent", Doc: "takes a number and never answers, once in a period; the retry brings it",
		Want: Want{Verdict: history.Pass, Reason: history.TimedOut}, Args: laxly(keyed("1", "--timeout", "300ms")...), Period: 200, act: keptThen(silent)},
	{Name: "sessions-maybe", Doc: "one 503 in a period says X-Turno-Consumed: maybe, and it was; the retry brings the number",
		Want: Want{Verdict: history.Pass, Reason: history.BadStatus}, Args: laxly(keyed("1")...), Period: 50,
		act: keptThen(refuse("503 Service Unavailable", maybeConsumed, api.StoreUnavailable))},
	{Name: "sessions-full", Doc: "refuses a key with 503 and X-Turno-Consumed: no, once in a period, and takes it later",
		Want: Want{Verdict: history.Pass, Reason: history.NotConsumed}, Args: laxly(keyed("1")...), Period: 50,
		act: keyless(once, refuse("503 Service Unavailable", notConsumed, api.SessionsFull))},

	{Name: "ignores-keys", Doc: "does not know Idempotency-Key: each retry takes a new number", Want: violated(history.TwoNumbers), Args: keyed("0.1")},
	{Name: "forgets-keys", Doc: "forgets a key whose answer was lost, once in a period: the number is gone", Want: violated(history.Gap),
		Args: laxly(keyed("1")...), Period: 50, act: keyless(once, consuming(reset))},
	{Name: "races-on-keys", Doc: "two requests with one key at the same time get two numbers", Want: violated(history.TwoNumbers),
		Args: keyed("0.5"), Latency: 5 * time.Millisecond, act: racing},
	{Name: "unmarked-replays", Doc: "does not say Idempotent-Replayed", Want: violated(history.WrongMark), Args: keyed("0.1"), act: marking(never)},
	{Name: "marks-everything", Doc: "says Idempotent-Replayed: true also of new numbers", Want: violated(history.WrongMark), Args: keyed("0.1"), act: marking(always)},
	{Name: "keys-of-all-ids", Doc: "one key for two ids gets one number", Want: violated(history.WrongMark),
		Args: keyed("0.5", "--ids", "4", "--keep-going"), act: acrossIDs},
	{Name: "delivers-replays", Doc: "its books count replays as issued and delivered: the numbers are right, and a remark says that the books are not",
		Want: Want{Verdict: history.Pass, Remark: "are replays among them?"}, Args: keyed("0.5"), boasts: true, declares: nothing, act: once},
}

// claims are the numbers that keys have.
type claims struct {
	mu    sync.Mutex
	given map[string]uint64
}

// claim is the number of c's key, which is taken if there is none.
func (k *claims) claim(c *conn, q *queue) (n uint64, replayed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n, replayed = k.given[c.key]; !replayed {
		n = c.take(q)
		k.put(c.key, n)
	}
	return n, replayed
}

func (k *claims) put(key string, n uint64) {
	if k.given == nil {
		k.given = map[string]uint64{}
	}
	k.given[key] = n
}

// once answers a request with a key as the contract says.
func once(c *conn, q *queue) error {
	if c.key == "" {
		return usual(c, q)
	}
	n, replayed := q.keys.claim(c, q)
	return c.answer(q, n, replayed)
}

// slowly does so after Latency.
func slowly(c *conn, q *queue) error {
	c.srv.pause(c.srv.Latency)
	return once(c, q)
}

// keptThen does a for one request with a key in a period, whose number is taken and kept for it.
func keptThen(a act) act {
	return keyless(once, func(c *conn, q *queue) error {
		q.keys.claim(c, q)
		return a(c, q)
	})
}

// keyless does b for one request in a period, if it has a key that has no number; and a otherwise.
func keyless(a, b act) act {
	return func(c *conn, q *queue) error {
		if c.key == "" || c.seq%c.srv.Period != 0 || q.keys.has(c.key) {
			return a(c, q)
		}
		return b(c, q)
	}
}

func (k *claims) has(key string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.given[key]
	return ok
}

// torn writes half of an answer and resets the connection.
func torn(c *conn, q *queue) error {
	c.out = append(c.out[:0], statusOK+isJSON+length+"30"+blank+`{"id":"`...)
	_ = c.flush()
	return c.reset()
}

// racing looks whether a key has a number, and thinks before it takes one: until another request has looked, too, or for
// Latency.
func racing(c *conn, q *queue) error {
	if c.key == "" || q.keys.has(c.key) {
		return once(c, q)
	}
	mine := make(chan struct{})
	if other, met := c.srv.thinking.LoadAndDelete(c.key); met {
		close(other.(chan struct{}))
	} else {
		c.srv.thinking.Store(c.key, mine)
		timer := time.NewTimer(c.srv.Latency)
		defer timer.Stop()
		select {
		case <-mine:
		case <-timer.C:
			c.srv.thinking.Delete(c.key)
		case <-c.srv.done:
		}
	}
	n := c.take(q)
	q.keys.mu.Lock()
	q.keys.put(c.key, n)
	q.keys.mu.Unlock()
	return c.answer(q, n, false)
}

// acrossIDs has one table of keys for all ids.
func acrossIDs(c *conn, q *queue) error {
	if c.key == "" {
		return usual(c, q)
	}
	n, replayed := c.srv.keys.claim(c, q)
	return c.answer(q, n, replayed)
}

func never(bool) bool  { return false }
func always(bool) bool { return true }

// marking says of replays what says makes of the truth.
func marking(says func(replayed bool) bool) act {
	return func(c *conn, q *queue) error {
		if c.key == "" {
			return usual(c, q)
		}
		n, replayed := q.keys.claim(c, q)
		return c.answer(q, n, says(replayed))
	}
}

var marked = framed(statusOK+isJSON+api.ReplayedHeader+": true\r\n"+length, blank)

// answer sends number n, which its key may have had before.
func (c *conn) answer(q *queue, n uint64, replayed bool) error {
	if !replayed {
		return c.send(q, n)
	}
	c.srv.replays.Add(1)
	c.text = c.srv.appendBody(c.text[:0], q.id, n)
	return marked(c, c.text)
}
