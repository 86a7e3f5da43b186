package e2e

import (
	"os"
	"syscall"
)

// peakRSS returns the largest resident size of an ended process, in bytes.
func peakRSS(s *os.ProcessState) int64 {
	usage, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss << 10
}
