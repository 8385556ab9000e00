package loadgen

import (
	"os"
	"runtime/metrics"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/process"
)

// hostMeter reads how much CPU this process and the whole machine have used.
type hostMeter struct {
	self *process.Process // nil where it can't be read
}

func newHostMeter() *hostMeter {
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		return &hostMeter{}
	}
	return &hostMeter{self: self}
}

// hostReading is one look at the meters, in CPU-seconds.
type hostReading struct {
	at             time.Time
	own, gc        float64
	busy, capacity float64
}

// hostUse is what went by between two readings, in percent; −1 where it can't be read.
type hostUse struct {
	own     float64 // of one core
	all     float64 // of the whole machine
	seconds float64 // CPU-seconds of this process
	gc      float64 // CPU-seconds of its garbage collector
}

func (m *hostMeter) read() hostReading {
	r := hostReading{at: time.Now()}
	if m.self != nil {
		if t, err := m.self.Times(); err == nil {
			r.own = t.User + t.System
		}
	}
	if t, err := cpu.Times(false); err == nil && len(t) == 1 {
		r.capacity = t[0].User + t[0].Nice + t[0].System + t[0].Idle + t[0].Iowait + t[0].Irq + t[0].Softirq + t[0].Steal
		r.busy = r.capacity - t[0].Idle - t[0].Iowait
	}
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() == metrics.KindFloat64 {
		r.gc = sample[0].Value.Float64()
	}
	return r
}

func (r hostReading) since(before hostReading) hostUse {
	u := hostUse{own: -1, all: -1, seconds: r.own - before.own, gc: r.gc - before.gc}
	if d := r.at.Sub(before.at).Seconds(); d > 0 {
		u.own = u.seconds / d * 100
	}
	if d := r.capacity - before.capacity; d > 0 {
		u.all = (r.busy - before.busy) / d * 100
	}
	return u
}
