package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// quiet is what the machine had done before the first run, to say later who else used it.
type quiet struct {
	load string // average over one minute
	cpu  machineCPU
	own  time.Duration
}

func startQuiet() quiet {
	load, _, _ := strings.Cut(read("/proc/loadavg"), " ")
	all, _ := parseMachine(read("/proc/stat")) // zero where it can't be read, and others says so
	return quiet{load: load, cpu: all, own: ownCPU()}
}

// ownCPU is the CPU time of this process and of those that it started, and they, as far as they have ended.
func ownCPU() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}

// others says how much of the machine was used meanwhile by somebody else; a few percent are the kernel's own.
func (q quiet) others() string {
	now, err := parseMachine(read("/proc/stat"))
	all := now.all - q.cpu.all
	if err != nil || all <= 0 {
		return "what others used of it meanwhile can't be read"
	}
	foreign := max(0, now.busy-q.cpu.busy-(ownCPU()-q.own))
	return fmt.Sprintf("others used %.0f %% of it meanwhile, the hypervisor took %.0f %%", percent(foreign, all), percent(now.stolen-q.cpu.stolen, all))
}

func percent(part, all time.Duration) float64 { return float64(part) / float64(all) * 100 }

// describe says on what, and of what, the figures are.
func (b *bench) describe(ctx context.Context, q quiet) []string {
	return []string{
		fmt.Sprintf("%s, %d cores, %.0f GB, Linux %s", cpuModel(read("/proc/cpuinfo")), runtime.NumCPU(), memory(), strings.TrimSpace(read("/proc/sys/kernel/osrelease"))),
		fmt.Sprintf("load average %s before the first run; %s", q.load, q.others()),
		fmt.Sprintf("tmctl %s, %s; wrk %s; nginx %s; vegeta %s; %s", commitOf(b.tools.tmctl), runtime.Version(), version(ctx, b.tools.wrk),
			version(ctx, b.tools.nginx), moduleVersion(b.tools.vegeta, vegetaPackage), version(ctx, b.tools.redis)),
	}
}

func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func memory() (gb float64) {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	return float64(info.Totalram) * float64(info.Unit) / 1e9
}

// read is a file's text, or nothing.
func read(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}
