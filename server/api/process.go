package api

// Process is what a node costs its machine. What counts, counts since the process began.
type Process struct {
	CPU        int64     `json:"cpu_ns"`    // user and system time
	GC         int64     `json:"gc_cpu_ns"` // of that, collecting garbage; as of the last collection
	Cores      int       `json:"cores"`     // that it may use at once (GOMAXPROCS)
	Goroutines int       `json:"goroutines"`
	Files      int       `json:"open_files"` // 0: unknown, on systems that don't tell
	MaxFiles   int       `json:"max_open_files"`
	RunQueue   Histogram `json:"run_queue"` // how long goroutines that could run waited for a core
}

// Histogram counts durations since the process began. Two of one process make that of the time between them, by difference.
type Histogram struct {
	Count  uint64   `json:"count"`
	Sum    int64    `json:"sum_ns"`
	Bounds []int64  `json:"le_ns"`  // ascending
	Counts []uint64 `json:"counts"` // Counts[i] is how many took Bounds[i] at most; what took longer is in Count alone
}
