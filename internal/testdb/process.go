package testdb

import (
	"fmt"
	"os/exec"
	"runtime"
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

// stop asks the server to shut down and waits for it.
func (p *process) stop() error {
	if err := p.signal(syscall.SIGTERM); err != nil {
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

// kill ends the server at once and waits until it is gone.
func (p *process) kill() {
	_ = p.signal(syscall.SIGKILL) // it cannot be refused; the wait tells
	<-p.done
}

// signal sends sig unless the server has ended already.
func (p *process) signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
		return p.cmd.Process.Signal(sig)
	}
}
