package loadgen

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
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

// AskAdmin reads what the target's admin plane at base (http://127.0.0.1:7018) says of itself.
func AskAdmin(ctx context.Context, base string, timeout time.Duration) (*history.Target, error) {
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	url := strings.TrimSuffix(base, "/") + api.SnapshotPath
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("admin %s: %w", base, err)
	}
	resp, err := http.DefaultClient.Do(req) // a snapshot takes no number: repeating it does no harm
	if err != nil {
		return nil, fmt.Errorf("ask admin: %w", err)
	}
	defer resp.Body.Close()
	var s api.Snapshot
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask admin %s: %s", url, resp.Status)
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 1<<20)).Decode(&s); err != nil {
		return nil, fmt.Errorf("ask admin %s: not a snapshot: %w", url, err)
	}
	return &history.Target{Name: s.Name, Version: s.Version, Go: s.Go, Store: s.Store, Promise: s.Promise}, nil
}
