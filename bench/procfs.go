package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc: USER_HZ is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// procStat is what /proc/PID/stat says of a process, all its threads together (proc(5)).
type procStat struct {
	parent int
	cpu    time.Duration // utime + stime
}

// parseStat reads a line of /proc/PID/stat. The command's name may hold spaces and parentheses, so fields count from the
// last closing one: state is field 3, ppid 4, utime 14, stime 15.
func parseStat(line string) (procStat, error) {
	end := strings.LastIndexByte(line, ')')
	if end < 0 {
		return procStat{}, fmt.Errorf("proc stat: no command in %q", line)
	}
	f := strings.Fields(line[end+1:])
	if len(f) < 13 {
		return procStat{}, fmt.Errorf("proc stat: %d fields after the command; want 13 or more", len(f))
	}
	var n [3]int64
	for i, field := range []int{1, 11, 12} {
		v, err := strconv.ParseInt(f[field], 10, 64)
		if err != nil {
			return procStat{}, fmt.Errorf("proc stat: %w", err)
		}
		n[i] = v
	}
	return procStat{parent: int(n[0]), cpu: time.Duration(n[1]+n[2]) * tick}, nil
}

func readStat(pid int) (procStat, error) {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(string(line))
}

// cpuOf is the CPU time of a process and its children: nginx answers in workers.
func cpuOf(pid int) (time.Duration, error) {
	own, err := readStat(pid)
	if err != nil {
		return 0, err
	}
	sum := own.cpu
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, d := range dirs {
		child, err := strconv.Atoi(d.Name())
		if err != nil {
			continue // not a process
		}
		if s, err := readStat(child); err == nil && s.parent == pid {
			sum += s.cpu
		}
	}
	return sum, nil
}

// parsePeak reads VmHWM, the most memory that was ever resident, from /proc/PID/status, in bytes. A process that has ended
// and is not waited for has no such line.
func parsePeak(status string) (bytes uint64, ok bool) {
	for line := range strings.Lines(status) {
		value, found := strings.CutPrefix(line, "VmHWM:")
		if !found {
			continue
		}
		kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		return kib << 10, err == nil
	}
	return 0, false
}

// machineCPU is what all CPUs did since boot.
type machineCPU struct {
	busy, stolen, all time.Duration
}

// parseMachine reads the first line of /proc/stat: user nice system idle iowait irq softirq steal (guest is in user).
func parseMachine(stat string) (machineCPU, error) {
	line, _, _ := strings.Cut(stat, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return machineCPU{}, fmt.Errorf("proc stat: %q is not about all CPUs", line)
	}
	var n [8]time.Duration
	for i := range n {
		v, err := strconv.ParseInt(f[i+1], 10, 64)
		if err != nil {
			return machineCPU{}, fmt.Errorf("proc stat: %w", err)
		}
		n[i] = time.Duration(v) * tick
	}
	m := machineCPU{busy: n[0] + n[1] + n[2] + n[5] + n[6], stolen: n[7]}
	m.all = m.busy + m.stolen + n[3] + n[4]
	return m, nil
}
