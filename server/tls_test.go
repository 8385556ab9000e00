package server_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// overTLS has the servers of run speak TLS, and their clients too.
var overTLS *authority

// What holds without TLS holds with it: these are the tests of answers, of delivery, of clients that leave, of time-outs and
// of the stop order, once more.
func TestOverTLS(t *testing.T) {
	overTLS = newAuthority(t)
	defer func() { overTLS = nil }()
	for name, test := range map[string]func(*testing.T){
		"contract": TestContract, "keep-alive": TestConnectionsAreKept, "pipeline": TestPipelinedRequestsAreAnsweredInOrder,
		"pieces": TestRequestInPieces, "continue": TestExpectContinue,
		"sweep":          TestSweep,
		"hostile":        TestHostileClients,
		"delivery":       TestPipelinedNumbersAreDelivered,
		"other answers":  TestDeliveredBesideOtherAnswers,
		"closes amid":    TestClientClosesAmidItsAnswers,
		"write failed":   TestWriteFailed,
		"nobody":         TestNothingIsDeliveredToNobody,
		"ledger":         TestLedgerAddsUp,
		"leaves before":  TestClientLeavesBeforeItsBlock,
		"all leave":      TestAllClientsLeave,
		"leaves after":   TestClientLeavesAfterItsBlock,
		"stop answers":   TestStopAnswersThoseWhoWait,
		"stop loses":     TestStopLosesNothing,
		"stop finishes":  TestStopFinishesWhatIsInFlight,
		"stop waits":     TestStopWaitsForBalancers,
		"stop ends idle": TestStopEndsIdleConnections,
	} {
		t.Run(name, test)
	}
}

// secured is a server that speaks TLS with a pair of files, and what it logs.
func secured(t *testing.T, a *authority) (r *running, cert, key string, said lines) {
	t.Helper()
	cert, key = a.files(t)
	said = make(lines, 100)
	return run(t, fewIDs(), func(c *server.Config) {
		c.TLSCert, c.TLSKey, c.Log = cert, key, slog.New(slog.NewTextHandler(said, nil))
	}), cert, key, said
}

// shake connects and agrees.
func (r *running) shake(config *tls.Config) (*tls.Conn, error) {
	r.t.Helper()
	c := tls.Client(r.dial().Conn, config)
	return c, c.Handshake()
}

func TestTLSVersions(t *testing.T) {
	a := newAuthority(t)
	r, _, _, _ := secured(t, a)
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		config := a.trust()
		config.MinVersion, config.MaxVersion = version, version
		_, err := r.shake(config)
		if (err == nil) != want {
			t.Errorf("%s: the handshake gave %v; want it to succeed = %t", tls.VersionName(version), err, want)
		}
	}
	config := a.trust()
	config.NextProtos = []string{"h2", "http/1.1"}
	c, err := r.shake(config)
	if err != nil || c.ConnectionState().NegotiatedProtocol != "http/1.1" {
		t.Errorf("a client of HTTP/2 and HTTP/1.1 got %q, %v; want http/1.1", c.ConnectionState().NegotiatedProtocol, err)
	}
}

// serial is the certificate that a connection was shown.
func serial(c *tls.Conn) int64 { return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64() }

// New connections get the new certificate, older ones go on; a bad pair changes nothing.
func TestCertificateIsReadAnew(t *testing.T) {
	a := newAuthority(t)
	r, cert, key, said := secured(t, a)
	config := a.trust()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1) // a resumed session would show the old one
	old, err := r.shake(config)
	if err != nil || serial(old) != 2 {
		t.Fatalf("the first certificate is %d, %v; want 2", serial(old), err)
	}
	third, fourth, expired := a.issue(t, 3, time.Hour), a.issue(t, 4, time.Hour), a.issue(t, 5, -time.Minute)
	steps := []struct {
		name string
		pair pair
		want int64
		says string // of the refusal
	}{
		{"another", third, 3, ""},
		{"one with the key of another", pair{fourth.cert, third.key}, 3, "private key does not match public key"},
		{"one cut short", pair{fourth.cert[:100], fourth.key}, 3, "failed to find any PEM data"},
		{"files in each other's place", pair{fourth.key, fourth.cert}, 3, "PEM inputs may have been switched"},
		{"an expired one", expired, 3, "the one in use is valid"},
		{"a right one after these", fourth, 4, ""},
	}
	for i, s := range steps {
		s.pair.write(t, cert, key)
		err := r.LoadCertificate()
		var refused *server.CertificateError
		if (err != nil) != (s.says != "") || err != nil && (!errors.As(err, &refused) || !strings.Contains(err.Error(), s.says)) {
			t.Errorf("%s: LoadCertificate() = %v; want %q", s.name, err, s.says)
		}
		c, err := r.shake(config)
		if err != nil || serial(c) != s.want {
			t.Fatalf("after %s, the certificate is %d, %v; want %d", s.name, serial(c), err, s.want)
		}
		(&client{t: t, Conn: c}).send(getA)
		checkTurno(t, mustRead(t, c), fmt.Sprintf(`{"id":"a","turno":%d}`, i+1))
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if err := r.LoadCertificate(); !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), key) != 1 {
		t.Errorf("without a key file, LoadCertificate() = %v; want that it does not exist, once", err)
	}
	(&client{t: t, Conn: old}).send(getA)
	checkTurno(t, mustRead(t, old), fmt.Sprintf(`{"id":"a","turno":%d}`, len(steps)+1))
	said.await(t, "certificate loaded")
}

// An expired certificate is better than none at all: the server starts, and says so.
func TestExpiredCertificateIsWarnedOf(t *testing.T) {
	a := newAuthority(t)
	r, cert, key, _ := secured(t, a)
	a.issue(t, 9, -time.Minute).write(t, cert, key)
	said := make(lines, 100)
	run(t, fewIDs(), func(c *server.Config) {
		c.TLSCert, c.TLSKey, c.Log = cert, key, slog.New(slog.NewTextHandler(said, nil))
	})
	said.await(t, "the certificate has expired")
	if err := r.LoadCertificate(); err == nil {
		t.Error("a server with a valid certificate took an expired one")
	}
}

// Who does not speak TLS is told so if it can read it, and else is let go; nothing is consumed and nothing held.
func TestPlainOnTLS(t *testing.T) {
	tests := []struct {
		name, sent string
		told       bool
	}{
		{"HTTP", getA, true},
		{"a POST", "POST /turno/a HTTP/1.1\r\n" + host + "\r\n", true},
		{"something else", "hello, is anybody there?\r\n", false},
		{"a TLS record that is none", "\x16\x03\x01\x00\x05hello", false},
		{"an end", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _, _, _ := secured(t, newAuthority(t))
			c := r.dial()
			c.send(tt.sent)
			if err := tcp(c.Conn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if tt.told {
				checkProblem(t, c.receive("GET"), "GET", 400, api.BadRequest, api.ConsumedNo)
			} else if b, _ := io.ReadAll(c.r); strings.Contains(string(b), "HTTP") { // an alert of TLS, at most
				t.Errorf("the answer is %q; want none in HTTP", b)
			}
			r.awaitConnections(0)
			if l := r.Ledger(); l.Issued != 0 {
				t.Errorf("the ledger is %+v; want nothing issued", l)
			}
		})
	}
}

// A handshake that does not end is ended.
func TestSlowHandshake(t *testing.T) {
	for name, sent := range map[string]string{"nothing": "", "half a record": "\x16\x03\x01\x02\x00\x01"} {
		r, _, _, _ := secured(t, newAuthority(t))
		c := r.dial()
		c.send(sent)
		r.awaitConnections(1)
		r.Sweep(server.ReadTimeout / 2)
		expect(t, "connections after half the time", r.Connections(), "1")
		r.awaitReading()
		r.Sweep(2 * server.ReadTimeout)
		if b, err := c.r.ReadByte(); err == nil {
			t.Errorf("%s: the server sent %q; want an end", name, b)
		}
		r.awaitConnections(0)
	}
}

// heard is a connection that remembers what came.
type heard struct {
	net.Conn
	all []byte
}

func (h *heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	h.all = append(h.all, b[:n]...)
	return n, err
}

// The end of a connection is told in TLS too: without it a client can't tell an end from a cut. In TLS 1.2 the kind of a
// record can be read from outside.
func TestGoodbye(t *testing.T) {
	const alert = 21
	a := newAuthority(t)
	r, _, _, _ := secured(t, a)
	below := &heard{Conn: r.dial().Conn}
	config := a.trust()
	config.MaxVersion = tls.VersionTLS12
	c := tls.Client(below, config)
	(&client{t: t, Conn: c}).send("GET /turno/a HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("the end is %v; want EOF", err)
	}
	var last byte
	for rest := below.all; len(rest) > 5; rest = rest[5+int(rest[3])<<8+int(rest[4]):] {
		last = rest[0]
	}
	if last != alert {
		t.Errorf("the last record is of kind %d; want an alert, %d", last, alert)
	}
}
