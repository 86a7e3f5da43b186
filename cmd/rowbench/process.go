package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// memoryEvery is how often memory is looked at.
const memoryEvery = 20 * time.Millisecond

// startChild starts a program that dies with this process, and sends what
// became of it. If that is an error, it calls failed first.
//
// The kernel kills it when the thread that started it ends, so one goroutine
// stays locked to that thread until it has ended.
func startChild(cmd *exec.Cmd, failed func()) (ended <-chan error, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true, // an interrupt from the terminal is ours to pass on
		Pdeathsig: syscall.SIGKILL,
	}
	started, done := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		if err = cmd.Wait(); err != nil {
			failed()
		}
		done <- err
	}()
	return done, <-started
}

// watchMemory looks at a process until ctx ends, and then sends the most
// anonymous memory it had, in bytes.
func watchMemory(ctx context.Context, pid int) <-chan int64 {
	peak := make(chan int64, 1)
	go func() {
		var most int64
		tick := time.NewTicker(memoryEvery)
		defer tick.Stop()
		for {
			most = max(most, anonymous(pid))
			select {
			case <-ctx.Done():
				peak <- most
				return
			case <-tick.C:
			}
		}
	}()
	return peak
}

// anonymous is a process's resident anonymous memory in bytes, 0 if it is gone;
// see proc_pid_status(5).
func anonymous(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(text, []byte("\nRssAnon:"))
	fields := bytes.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}
