package server

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &deadlines{timeout: time.Second}
		d := p.begin(time.Now())
		if at, ok := d.Deadline(); !ok || time.Until(at) != time.Second {
			t.Errorf("Deadline() = %s, %t; want in 1s", at, ok)
		}
		child, cancel := context.WithCancel(d) // watches Done, as a client of a store may
		defer cancel()
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if err := child.Err(); err != nil {
			t.Errorf("Err() = %v before the deadline; want nil", err)
		}
		time.Sleep(time.Millisecond)
		<-child.Done()
		if err := child.Err(); err != context.DeadlineExceeded {
			t.Errorf("Err() = %v after the deadline; want DeadlineExceeded", err)
		}
		p.end(d)
		if err := d.Err(); err != context.DeadlineExceeded {
			t.Errorf("Err() = %v after the end; want what it was", err)
		}
	})
}

// A context that somebody watches ends with its request, and is not another request's later.
func TestDeadlineEnds(t *testing.T) {
	p := &deadlines{timeout: time.Hour}
	d := p.begin(time.Now())
	done := d.Done()
	p.end(d)
	<-done
	if err := d.Err(); err != context.Canceled {
		t.Errorf("Err() = %v; want Canceled", err)
	}
	if p.begin(time.Now()) == d {
		t.Error("a watched context was used again")
	}
}

func TestDeadlineCostsNothingUnlessWatched(t *testing.T) {
	p, now := &deadlines{timeout: time.Hour}, time.Now()
	if n := testing.AllocsPerRun(1000, func() { p.end(p.begin(now)) }); n >= 1 {
		t.Errorf("a deadline that nobody watches allocates %v times; want 0", n)
	}
}
