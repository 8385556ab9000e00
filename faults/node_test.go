//go:build linux

package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// node is one `tmctl serve`, in as many lives as its test gives it, always on the same ports.
type node struct {
	t           *testing.T
	name        string
	binary      string
	store       string // URL, perhaps with a password: so it goes into the environment
	args        []string
	openFiles   int // ulimit -n; 0: as it is
	addr, admin string
	life        *process
	logs        []*process // of all lives
}

// freePort finds a port below those that the system gives to outgoing connections, which could take it during a restart,
// and apart from those of redistest.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(10_000)))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return addr
	}
	t.Fatal("there is no free port")
	return ""
}

// start begins a life, and returns when the node listens.
func (n *node) start() {
	n.t.Helper()
	for range 20 { // on a port that another process took meanwhile, a first life tries another
		if n.addr == "" || len(n.logs) == 0 {
			n.addr, n.admin = freePort(n.t), freePort(n.t)
		}
		if n.listens(n.launch()) {
			return
		}
		if len(n.logs) > 1 || !strings.Contains(n.life.stderr.String(), "address already in use") {
			break
		}
		n.logs = nil
	}
	n.t.Fatalf("%s does not start:\n%s", n.name, tail(n.life.stderr.String()))
}

func (n *node) launch() *process {
	n.t.Helper()
	argv := append([]string{n.binary, "serve", "--addr", n.addr, "--admin", n.admin, "--log-format", "json"}, n.args...)
	if n.openFiles > 0 {
		argv = append([]string{"sh", "-c", "ulimit -n " + strconv.Itoa(n.openFiles) + ` && exec "$0" "$@"`}, argv...)
	}
	n.life = start(n.t, n.name, []string{"TMCTL_SERVE_STORE=" + n.store}, argv...)
	n.logs = append(n.logs, n.life)
	return n.life
}

// startWithin is generous: a node that joins a store may wait for others.
const startWithin = 30 * time.Second

// listens waits until the node says so; it is false when it ended instead.
func (n *node) listens(p *process) bool {
	n.t.Helper()
	for deadline := time.Now().Add(startWithin); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(p.stderr.String(), `"msg":"`+server.ListeningMessage+`"`) {
			return true
		}
		if !p.running() {
			return false
		}
	}
	return false
}

// kill ends a life at once.
func (n *node) kill() { n.life.kill() }

// stop ends a life in order; it must end well.
func (n *node) stop() {
	n.t.Helper()
	n.life.signal(syscall.SIGTERM)
	if code := n.life.exit(n.t, 30*time.Second); code != 0 {
		n.t.Errorf("%s ended with %d after SIGTERM; want 0:\n%s", n.name, code, tail(n.life.stderr.String()))
	}
}

// pause stops the node in its tracks for d, which is the fault and no wait for anything.
func (n *node) pause(d time.Duration) {
	n.life.signal(syscall.SIGSTOP)
	time.Sleep(d)
	n.life.signal(syscall.SIGCONT)
}

// client asks admin planes; a node that is paused or at its limits may not answer.
var client = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// look reads JSON of the admin plane.
func (n *node) look(path string, v any) error {
	resp, err := client.Get("http://" + n.admin + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, resp.Status, body)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// snapshot is what the node says of itself; the zero one when it can't be asked.
func (n *node) snapshot() (s api.Snapshot) {
	if err := n.look(api.SnapshotPath, &s); err != nil {
		return api.Snapshot{}
	}
	return s
}

// answered is how many numbers this life handed out.
func (n *node) answered() uint64 { return n.snapshot().Requests["ok"] }

// peek is the last number given of an id, as the node's store knows it; 0 when none was, or nobody says.
func (n *node) peek(id string) uint64 {
	var c api.Counter
	if err := n.look(api.CountersPath+url.PathEscape(id), &c); err != nil {
		return 0
	}
	return c.Turno
}

// answer is what a request got.
type answer struct {
	status   int
	consumed string
	body     string
	turno    uint64
}

// ask takes a number as a client does.
func (n *node) ask(id string) (answer, error) {
	resp, err := client.Post("http://"+n.addr+api.TurnoPath+id, "", nil)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, consumed: resp.Header.Get(api.ConsumedHeader), body: string(body)}
	if err != nil || a.status != http.StatusOK {
		return a, err
	}
	var given api.Turno
	err = json.Unmarshal(body, &given)
	a.turno = given.Turno
	return a, err
}

// says reports whether a life of the node logged text.
func (n *node) says(text string) bool { return strings.Contains(n.log(), text) }

// log is what all lives of the node wrote.
func (n *node) log() string {
	var b strings.Builder
	for _, p := range n.logs {
		b.WriteString(p.stdout.String() + p.stderr.String())
	}
	return b.String()
}

// secret is the password of every store that has one: no log may show it.
const secret = "s3cret-of-the-store"

var ugly = regexp.MustCompile(`panic:|DATA RACE|fatal error:|goroutine \d+ \[|nil pointer|index out of range`)

// storeErrors is how many calls of the store failed in this life.
func (n *node) storeErrors() (sum int) {
	resp, err := client.Get("http://" + n.admin + api.MetricsPath)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), " "); strings.HasPrefix(name, "turno_store_errors_total{") {
			failed, _ := strconv.Atoi(value)
			sum += failed
		}
	}
	return sum
}

// checkLog wants nothing in the logs that no operator should ever see.
func (n *node) checkLog() {
	n.t.Helper()
	log := n.log()
	if strings.Contains(log, secret) {
		n.t.Errorf("%s logs the store's password:\n%s", n.name, tail(log))
	}
	if at := ugly.FindStringIndex(log); at != nil {
		n.t.Errorf("%s logs:\n%s", n.name, tail(log[:min(len(log), at[0]+2000)]))
	}
}

// checkLedger wants the node to account for every number that its store gave it in this life, once nothing is under way.
func (n *node) checkLedger() {
	n.t.Helper()
	if books := n.books(); books != "" {
		n.t.Errorf("%s's books at rest: %s", n.name, books)
	}
}

// books says what is wrong with the node's books, "" when they balance. At rest they do so within moments.
func (n *node) books() string {
	var l api.Ledger
	var ended uint64
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if l = n.snapshot().Ledger; l.Burned == nil {
			continue // it did not answer
		}
		ended = l.Delivered + l.Unknown
		for _, burned := range l.Burned {
			ended += burned
		}
		if l.InFlight == 0 && ended == l.Issued {
			return ""
		}
	}
	return fmt.Sprintf("issued %d, delivered %d, burned %v, unknown %d, in flight %d: %d are not accounted for",
		l.Issued, l.Delivered, l.Burned, l.Unknown, l.InFlight, int64(l.Issued-ended))
}
