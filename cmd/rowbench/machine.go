package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// machine is where the results are from.
type machine struct {
	CPU         string  `json:"cpu"`
	Cores       int     `json:"cores"`
	MemoryBytes uint64  `json:"memory_bytes"`
	Kernel      string  `json:"kernel"`
	FlushMicros float64 `json:"flush_microseconds"` // of 4 KiB to the disk, median
}

// flushes is how many a median is of.
const flushes = 101

// thisMachine looks at it; dir is on the disk of the servers.
func thisMachine(dir string) (machine, error) {
	m := machine{CPU: "unknown", Cores: runtime.NumCPU()}
	cpus, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m, err
	}
	if _, rest, found := strings.Cut(string(cpus), "model name"); found {
		line, _, _ := strings.Cut(rest, "\n")
		m.CPU = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, err
	}
	m.Kernel = strings.TrimSpace(string(kernel))
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return m, err
	}
	m.MemoryBytes = info.Totalram * uint64(info.Unit)
	m.FlushMicros, err = flushTime(dir)
	return m, err
}

// flushTime is how long the disk takes to have a block for good, in
// microseconds.
func flushTime(dir string) (median float64, err error) {
	f, err := os.Create(filepath.Join(dir, "flush"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	var took []float64
	for range flushes {
		begun := time.Now()
		if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(begun).Microseconds()))
	}
	return spreadOf(took).Median, nil
}
