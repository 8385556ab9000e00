package loadgen

import (
	"runtime"
	"strings"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"github.com/turnomatico/tmctl/history"
)

// DescribeHost says what machine the generator runs on. What can't be read stays empty.
func DescribeHost() history.Environment {
	e := history.Environment{OS: runtime.GOOS, Cores: runtime.NumCPU(), Go: runtime.Version(), OpenFiles: openFiles()}
	if i, err := host.Info(); err == nil {
		e.Host = i.Hostname
		e.OS = strings.TrimSpace(i.Platform + " " + i.PlatformVersion)
		e.Kernel = i.KernelVersion
	}
	if c, err := cpu.Info(); err == nil && len(c) > 0 {
		e.CPU = c[0].ModelName
	}
	if m, err := mem.VirtualMemory(); err == nil {
		e.Memory = m.Total
	}
	return e
}
