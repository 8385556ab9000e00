package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// keys are the certificate that the public listener shows, and its key. The zero value is plain HTTP. They can be read anew
// while the server runs: connections made afterwards get the new ones, older ones live on.
type keys struct {
	config atomic.Pointer[tls.Config]
	until  time.Time // when the certificate expires; load's alone
}

// CertificateError is returned when a pair of certificate and key can't be used.
type CertificateError struct {
	Cert, Key string // the files
	Err       error
}

func (e *CertificateError) Error() string {
	said := e.Err.Error()
	if strings.Contains(said, e.Cert) || strings.Contains(said, e.Key) { // "open cert.pem: permission denied"
		return said
	}
	return fmt.Sprintf("certificate %s with key %s: %s", e.Cert, e.Key, strings.TrimPrefix(said, "tls: "))
}

func (e *CertificateError) Unwrap() error { return e.Err }

// errNotValid refuses a certificate whose time is not now in the place of one whose time it is.
var errNotValid = errors.New("it is expired, or not yet valid, and the one in use is valid")

// load reads a pair of files. After an error nothing has changed.
func (k *keys) load(certFile, keyFile string, now time.Time) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, &CertificateError{certFile, keyFile, err}
	}
	leaf := pair.Leaf
	valid := now.After(leaf.NotBefore) && now.Before(leaf.NotAfter)
	if !valid && now.Before(k.until) {
		return nil, &CertificateError{certFile, keyFile, errNotValid}
	}
	k.until = leaf.NotAfter
	// A configuration of its own for each certificate has ticket keys of its own too: a session begun with an older one is
	// not resumed, so a client sees the new one when it comes back.
	k.config.Store(&tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	})
	return &pair, nil
}

// LoadCertificate reads the certificate and its key anew, and logs what came of it. After an error the old ones stay. It must
// not be called twice at the same time; without TLS it does nothing.
func (s *Server) LoadCertificate() error {
	if s.config.TLSCert == "" {
		return nil
	}
	now := time.Now()
	pair, err := s.keys.load(s.config.TLSCert, s.config.TLSKey, now)
	if err != nil {
		s.config.record(EventCertificateRefused, err.Error(), fields{"file": s.config.TLSCert})
		return err
	}
	leaf := pair.Leaf
	names := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	until := leaf.NotAfter.UTC().Format(time.RFC3339)
	switch {
	case now.After(leaf.NotAfter):
		s.log.Warn("the certificate has expired: clients will refuse it", "file", s.config.TLSCert, "expired", until)
	case now.Before(leaf.NotBefore):
		s.log.Warn("the certificate is not valid yet: clients will refuse it", "file", s.config.TLSCert, "from", leaf.NotBefore.UTC().Format(time.RFC3339))
	case len(names) == 0:
		s.log.Warn("the certificate names no host (subjectAltName): clients will refuse it", "file", s.config.TLSCert)
	}
	s.log.Info("certificate loaded", "file", s.config.TLSCert, "names", strings.Join(names, ","), "until", until)
	s.config.record(EventCertificateLoaded, fmt.Sprintf("%s is shown to new connections: of %s, until %s", s.config.TLSCert, strings.Join(names, ", "), until),
		fields{"file": s.config.TLSCert, "names": names, "until": until})
	return nil
}

// plainOnTLS is what a client gets that speaks HTTP where TLS is spoken; it can read nothing else.
var plainOnTLS = rawProblem(problem{code: problems[badRequest].code, status: problems[badRequest].status,
	consumed: problems[badRequest].consumed, detail: "This port speaks TLS: use https."}, "")

// shake agrees with the client on a secret. It counts as reading a request, so that a client which never ends it does not
// hold the connection; and one that is at it while the server stops is waited for. After an error there is nobody to answer.
func (c *conn) shake() error {
	c.note(reading)
	err := c.secure.Handshake()
	if err == nil {
		c.shaken = true
		return nil
	}
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader) {
		c.note(writing)
		_, _ = plain.Conn.Write(plainOnTLS) // whether it reads that is its affair
	}
	return io.EOF
}

// looksLikeHTTP reports whether the first bytes of a connection are those of a method, not of a TLS record.
func looksLikeHTTP(b [5]byte) bool {
	switch string(b[:]) {
	case "GET /", "POST ", "HEAD ", "PUT /", "OPTIO":
		return true
	}
	return false
}

// plaintext is the connection as HTTP sees it.
func (c *conn) plaintext() net.Conn {
	if c.secure != nil {
		return c.secure
	}
	return c.TCPConn
}
