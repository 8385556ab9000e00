package redis

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// BenchmarkReserve says what a call costs: its latency, our CPU (client-µs/call), Redis' (redis-µs/call), and how much of that
// the command takes, without reading and writing (command-µs/call). Slots are calls under way at once. raw is the least that a round trip can cost here: a bare connection, one INCRBY after another.
func BenchmarkReserve(b *testing.B) {
	r := redistest.Start(b, redistest.Options{})
	s := open(b, r.URL()).Store
	b.Run("raw/INCRBY", func(b *testing.B) { benchRaw(b, r, "*3\r\n$6\r\nINCRBY\r\n$7\r\nturno:x\r\n$2\r\n64\r\n") })
	b.Run("raw/PING", func(b *testing.B) { benchRaw(b, r, "*1\r\n$4\r\nPING\r\n") })
	var seq uint64
	for _, shape := range []struct{ slots, claims int }{{1, 1}, {2, 1}, {1, 64}, {2, 64}, {1, 1000}} {
		b.Run(fmt.Sprintf("slots=%d/claims=%d", shape.slots, shape.claims), func(b *testing.B) {
			seq += 1 << 40
			var all sync.WaitGroup
			measure(b, r, func() {
				for slot := range shape.slots {
					all.Go(func() {
						call := &server.Call{Slot: slot, Seq: seq}
						for i := range shape.claims {
							call.Claims = append(call.Claims, server.Claim{ID: "id" + strconv.Itoa(i), N: 64, Mark: 1})
						}
						for i := slot; i < b.N; i += shape.slots {
							call.Seq++
							if err := s.Reserve(b.Context(), call); err != nil || call.Claims[0].Err != nil {
								b.Error(err, call.Claims[0].Err)
								return
							}
						}
					})
				}
				all.Wait()
			})
		})
	}
}

func benchRaw(b *testing.B, r *redistest.Server, command string) {
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	measure(b, r, func() {
		for range b.N {
			if _, err := conn.Write([]byte(command)); err != nil {
				b.Fatal(err)
			}
			if _, err := in.ReadSlice('\n'); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// measure reports who used how much CPU while work was done.
func measure(b *testing.B, r *redistest.Server, work func()) {
	r.Run("CONFIG RESETSTAT")
	client, redis := ownCPU(b), cpuOf(b, r)
	b.ResetTimer()
	work()
	b.StopTimer()
	perCall := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(b.N) }
	b.ReportMetric(perCall(ownCPU(b)-client), "client-µs/call")
	b.ReportMetric(perCall(cpuOf(b, r)-redis), "redis-µs/call")
	for _, command := range []string{"evalsha", "incrby", "ping"} {
		stats, ok := infoOf(r.Do("INFO", "commandstats"))["cmdstat_"+command]
		if !ok {
			continue
		}
		_, stats, _ = strings.Cut(stats, "usec_per_call=")
		stats, _, _ = strings.Cut(stats, ",")
		if each, err := strconv.ParseFloat(stats, 64); err == nil {
			b.ReportMetric(each, "command-µs/call")
			break
		}
	}
}

func ownCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func cpuOf(b *testing.B, r *redistest.Server) (sum time.Duration) {
	info := infoOf(strings.ReplaceAll(r.Do("INFO", "cpu"), "\r", ""))
	for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
		seconds, err := strconv.ParseFloat(info[name], 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(seconds * float64(time.Second))
	}
	return sum
}

// BenchmarkWait says what ?wait= costs a call: everything on this machine, so that a round trip to a replica is as short as it
// can be. Where replicas are elsewhere, add theirs.
func BenchmarkWait(b *testing.B) {
	set := redistest.StartSentinels(b, redistest.SentinelOptions{Sentinels: 1, DownAfter: redistest.Steady})
	var seq uint64
	for _, wait := range []string{"0", "1", "2"} {
		s := open(b, set.URL()+"?wait="+wait).Store
		b.Run("wait="+wait, func(b *testing.B) {
			seq += 1 << 40
			call := &server.Call{Seq: seq}
			measure(b, set.Redis[0], func() {
				for range b.N {
					call.Seq++
					call.Claims = append(call.Claims[:0], server.Claim{ID: "x", N: 64, Mark: 1})
					if err := s.Reserve(b.Context(), call); err != nil || call.Claims[0].Err != nil {
						b.Error(err, call.Claims[0].Err)
						return
					}
				}
			})
		})
	}
}
