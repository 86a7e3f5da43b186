package testdb

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of processor time in /proc, on every Linux that Go knows.
const clockTick = 10 * time.Millisecond

// Processor is the processor time that the server has taken since it was
// started, with that of its children, those that have ended included. It is 0
// where it does not run.
func (s *Server) Processor() time.Duration {
	if s.process == nil {
		return 0
	}
	sum := processorOf(s.process.cmd.Process.Pid, 4)
	for _, pid := range s.process.children() {
		sum += processorOf(pid, 2)
	}
	return sum
}

// processorOf sums up so many of a process's times: in user and in kernel mode,
// and those of its children that have ended; see proc_pid_stat(5).
func processorOf(pid, times int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const first = 11 // utime, of the fields behind the name
	if len(fields) < first+times {
		return 0
	}
	var sum time.Duration
	for _, field := range fields[first : first+times] {
		if n, err := strconv.ParseInt(field, 10, 64); err == nil {
			sum += time.Duration(n) * clockTick
		}
	}
	return sum
}
