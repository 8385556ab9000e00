package redistest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// askWithin bounds a command of a test.
const askWithin = 5 * time.Second

// Do sends the server a command, as its default user and on a connection of its own, and returns the answer as text: an
// array's elements each on a line, "" for nil, and an error as it is ("WRONGTYPE Operation …").
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	answer, err := s.ask(args...)
	if r := refusal(""); errors.As(err, &r) {
		return string(r)
	}
	if err != nil {
		s.t.Fatalf("redis %s: %v", strings.Join(args, " "), err)
	}
	return answer
}

// Run sends commands that are written as in redis-cli, without quotes: "SET a 1".
func (s *Server) Run(lines ...string) {
	s.t.Helper()
	for _, line := range lines {
		if _, err := s.ask(strings.Fields(line)...); err != nil {
			s.t.Fatalf("redis %s: %v", line, err)
		}
	}
}

// refusal is an error that the server answered.
type refusal string

func (r refusal) Error() string { return string(r) }

func (s *Server) ask(args ...string) (string, error) {
	conn, err := s.dial()
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(askWithin)); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	if s.options.Password != "" {
		if _, err := exchange(conn, r, "AUTH", s.options.Password); err != nil {
			return "", err
		}
	}
	return exchange(conn, r, args...)
}

func (s *Server) dial() (net.Conn, error) {
	switch {
	case s.Socket != "":
		return net.Dial("unix", s.Socket)
	case s.options.TLS:
		config, err := s.Certs.client()
		if err != nil {
			return nil, err
		}
		return tls.Dial("tcp", s.Addr(), config)
	default:
		return net.Dial("tcp", s.Addr())
	}
}

func exchange(w io.Writer, r *bufio.Reader, args ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return "", err
	}
	return readAnswer(r)
}

// readAnswer reads one answer of RESP2.
func readAnswer(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", errors.New("an empty line is no answer")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '-':
		return "", refusal(rest)
	case '$', '*':
	default:
		return rest, nil
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n < 0 {
		return "", err
	}
	if kind == '$' {
		text := make([]byte, n+2)
		_, err := io.ReadFull(r, text)
		return string(text[:n]), err
	}
	var parts []string
	for range n {
		part, err := readAnswer(r)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "\n"), nil
}
