package server

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"syscall"
	"time"
)

const (
	lastAccepts = 50 * time.Millisecond  // how long stop goes on accepting, so that no connection is left in the kernel's queue
	acceptPause = 100 * time.Millisecond // how long accepting rests when the process is out of files
)

// listener gives fasthttp connections that conns knows of, and outlives a shortage of files, at which fasthttp would end.
type listener struct {
	*net.TCPListener
	conns *conns
	keys  *keys
	porch porch
	count *metrics
	full  onceASecond
	log   *slog.Logger
	stop  chan struct{} // closed when no more connections are wanted
}

var _ net.Listener = (*listener)(nil)

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		tcp, err := l.AcceptTCP()
		switch {
		case err == nil:
			c, o := l.conns.add(tcp, l.keys.config.Load())
			if o == answered {
				return c, nil
			}
			l.refused(o)
			l.porch.refuse(c, o)
			continue
		case l.stopping():
			return nil, io.EOF // fasthttp's word for a listener that was closed on purpose
		case !passing(err):
			return nil, err
		}
		l.log.Warn("cannot accept connections for now", "err", err)
		select {
		case <-l.stop:
		case <-time.After(acceptPause):
		}
	}
}

// refused counts a connection that is not let in, and has an operator know.
func (l *listener) refused(o outcome) {
	l.count.other(o)
	if more, due := l.full.due(time.Now()); due {
		a := &l.conns.admission
		l.log.Warn("connections are refused: as many are open as may be", "max_conns", a.total, "max_conns_per_ip", a.perAddress, "more", more)
	}
}

// finish makes Accept end soon, once the kernel's queue of connections is empty.
func (l *listener) finish() error {
	close(l.stop)
	return l.SetDeadline(time.Now().Add(lastAccepts))
}

func (l *listener) stopping() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// passing reports whether accepting may work again: the process or the machine is out of files or memory, or a client
// left while it was in the queue.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
