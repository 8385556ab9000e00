package main

import (
	"context"
	"net"
	"sync"
	"time"
)

// link is a way to a server on which what the server says takes longer.
type link struct {
	net.Listener
	to    string
	delay time.Duration
	ctx   context.Context // of its connections
	end   context.CancelFunc
	busy  sync.WaitGroup
}

// delayed opens a link to addr.
func delayed(ctx context.Context, addr string, delay time.Duration) (*link, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &link{Listener: listener, to: addr, delay: delay}
	l.ctx, l.end = context.WithCancel(ctx)
	l.busy.Go(l.accept)
	return l, nil
}

// Addr is where it begins.
func (l *link) Addr() string { return l.Listener.Addr().String() }

// Close ends it with all its connections.
func (l *link) Close() error {
	l.end()
	err := l.Listener.Close()
	l.busy.Wait()
	return err
}

func (l *link) accept() {
	for {
		near, err := l.Accept()
		if err != nil {
			return // closed
		}
		far, err := new(net.Dialer).DialContext(l.ctx, "tcp", l.to)
		if err != nil {
			_ = near.Close() // whoever connected sees that
			continue
		}
		l.busy.Go(func() { l.carry(near, far) })
	}
}

// carry joins two connections until one of them ends.
func (l *link) carry(near, far net.Conn) {
	ctx, end := context.WithCancel(l.ctx)
	context.AfterFunc(ctx, func() { _, _ = near.Close(), far.Close() }) // that they ended is all there is to know
	var both sync.WaitGroup
	both.Go(func() { defer end(); forward(ctx, far, near, 0) })
	both.Go(func() { defer end(); forward(ctx, near, far, l.delay) })
	both.Wait()
}

// forward copies, each piece a delay after it came.
func forward(ctx context.Context, to, from net.Conn, delay time.Duration) {
	type piece struct {
		bytes []byte
		at    time.Time
	}
	pieces := make(chan piece, 1024)
	var writer sync.WaitGroup
	writer.Go(func() {
		for p := range pieces {
			time.Sleep(time.Until(p.at))
			if _, err := to.Write(p.bytes); err != nil {
				_ = from.Close() // so that the reader ends
			}
		}
	})
	defer writer.Wait()
	defer close(pieces)
	for {
		b := make([]byte, 32<<10)
		n, err := from.Read(b)
		if err != nil {
			return
		}
		select {
		case pieces <- piece{b[:n], time.Now().Add(delay)}:
		case <-ctx.Done():
			return
		}
	}
}
