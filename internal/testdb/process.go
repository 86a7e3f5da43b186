package testdb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopPatience is how long a server may take to shut down before it is killed.
const stopPatience = 60 * time.Second

// process is a running server program.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; err is set then
	err  error
}

// startProcess starts cmd so that it dies with this process, however that ends.
//
// The kernel sends the parent-death signal when the *thread* that forked ends,
// so one goroutine, "keeper", stays locked to its thread until the server ends.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// stop asks the server to shut down by sig and waits for it.
func (p *process) stop(sig syscall.Signal) error {
	if err := errors.Join(p.signal(sig), p.thaw()); err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(stopPatience):
		p.kill()
		return fmt.Errorf("%s did not stop within %v", p.cmd.Path, stopPatience)
	}
}

// kill ends the server and its children at once and waits until they are gone.
// The server is held first, since it would make new children.
func (p *process) kill() {
	// Nothing of this can be refused by a process that is there; the waits tell.
	_ = p.signal(syscall.SIGSTOP)
	children := p.children()
	_ = p.signal(syscall.SIGKILL)
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
	for _, pid := range children {
		for alive(pid) {
			time.Sleep(time.Millisecond)
		}
	}
}

// freeze holds the server, then its children, and waits until they do nothing:
// on a busy machine a thread can answer after the signal was sent.
func (p *process) freeze() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	if err := awaitHeld(p.cmd.Process.Pid); err != nil {
		return err
	}
	for _, pid := range p.children() {
		if err := ignoreGone(syscall.Kill(pid, syscall.SIGSTOP)); err != nil {
			return err
		}
		if err := awaitHeld(pid); err != nil {
			return err
		}
	}
	return nil
}

// awaitHeld waits until no thread of a process can run.
func awaitHeld(pid int) error {
	for until := time.Now().Add(stopPatience); !held(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			return fmt.Errorf("process %d was not held within %v", pid, stopPatience)
		}
	}
	return nil
}

// held reports whether all threads of a process are stopped or gone.
func held(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return !slices.ContainsFunc(threads, func(path string) bool {
		state, _ := stateIn(path)
		return !slices.Contains([]string{"T", "t", "Z", "X", ""}, state)
	})
}

// thaw undoes freeze, the children first.
func (p *process) thaw() error {
	var errs []error
	for _, pid := range p.children() {
		errs = append(errs, ignoreGone(syscall.Kill(pid, syscall.SIGCONT)))
	}
	return errors.Join(append(errs, p.signal(syscall.SIGCONT))...)
}

// children are the processes the server has made: PostgreSQL has one for each
// session, each in a process group of its own.
func (p *process) children() []int {
	select {
	case <-p.done:
		return nil
	default:
	}
	all, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if _, parent := processState(pid); err == nil && parent == p.cmd.Process.Pid {
			pids = append(pids, pid)
		}
	}
	return pids
}

// alive reports whether a process still runs; one that only waits to be
// collected by its parent does not.
func alive(pid int) bool {
	state, _ := processState(pid)
	return state != "" && state != "Z" && state != "X"
}

// processState reads a process's state and parent, nothing if it is gone; see
// proc_pid_stat(5).
func processState(pid int) (state string, parent int) {
	return stateIn(fmt.Sprintf("/proc/%d/stat", pid))
}

func stateIn(path string) (state string, parent int) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", 0
	}
	// They follow the name, which stands in parentheses and may hold any.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 2 {
		return "", 0
	}
	parent, err = strconv.Atoi(fields[1])
	if err != nil {
		return "", 0
	}
	return fields[0], parent
}

func ignoreGone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// signal sends sig unless the server has ended already.
func (p *process) signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
		if err := p.cmd.Process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		return nil
	}
}
