package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// ferry is Rowferry with a target, as it was before the clock.
type ferry struct {
	bin    string
	log    *sourceLog
	goal   goal
	dir    string // of the state and its saved copy
	pause  time.Duration
	source []string // arguments that name what is read
	config string   // a file; "" where everything is kept as it is
	engine []string // runs Rowferry's commands, instead of bin alone, if set
}

// newFerry starts a target, lets Rowferry apply what is logged so far, in
// tables that it makes, with keys of their own if so, and saves both.
func newFerry(ctx context.Context, b *bench, l *sourceLog, k testdb.Kind, allocate bool) (f *ferry, err error) {
	f = &ferry{bin: b.bin, log: l, pause: markerEvery}
	if f.dir, err = os.MkdirTemp(b.dir, "state-"); err != nil {
		return nil, err
	}
	if f.goal, err = newGoal(ctx, k, b); err != nil {
		return nil, err
	}
	if k == sqliteKind {
		f.pause = otherEvery // each question opens the file
	}
	if allocate {
		if f.config, err = l.work.entities(f.dir); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	f.source, err = l.origin.reading(ctx, f.dir, true)
	if err == nil {
		_, err = f.run(ctx, 0, "--from", "earliest")
	}
	if err == nil {
		err = f.goal.addIndexes(ctx, l.work.indexes)
	}
	if err == nil {
		err = f.goal.save(ctx)
	}
	if err == nil {
		err = copyPath(ctx, f.state(), f.saved())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("rowferry, the rows before the clock: %w", err), f.close())
	}
	return f, nil
}

func (f *ferry) state() string { return filepath.Join(f.dir, "state") }
func (f *ferry) saved() string { return filepath.Join(f.dir, "saved") }

// voyage is what one run of Rowferry did.
type voyage struct {
	took    time.Duration // from its start until the last row was visible
	cpu     time.Duration // of its process, until it had ended
	peak    int64         // bytes of anonymous memory
	summary ferrySummary
}

// ferrySummary is what Rowferry says about a run; see its -o json.
type ferrySummary struct {
	Transactions uint64       `json:"transactions"`
	Rows         uint64       `json:"rows"`
	Batches      uint64       `json:"batches"`
	Fallbacks    uint64       `json:"fallbacks"`
	Spilled      uint64       `json:"spilled"`
	Splits       uint64       `json:"splits"`
	Tables       []ferryTable `json:"tables"`
	// Of one group of source transactions, the most of them and the longest
	// time between their commits at the source; changes to writes.
	MostTransactions uint64   `json:"group_most_transactions"`
	LongestSeconds   float64  `json:"group_longest_seconds"`
	Compaction       *float64 `json:"compaction_ratio"`
}

type ferryTable struct {
	Table   string `json:"table"`
	Inserts uint64 `json:"inserts"`
	Updates uint64 `json:"updates"`
	Deletes uint64 `json:"deletes"`
}

// begin puts target and state back to before the clock and warms up.
func (f *ferry) begin(ctx context.Context, d durability) (err error) {
	if err := f.goal.reset(ctx, d); err != nil {
		return err
	}
	if f.source, err = f.log.origin.reading(ctx, f.dir, false); err != nil {
		return err
	}
	if err := copyPath(ctx, f.saved(), f.state()); err != nil {
		return err
	}
	return f.goal.warm(ctx)
}

// turn lets Rowferry apply the log, by another port of the target unless 0.
func (f *ferry) turn(ctx context.Context, d durability, port int) (*voyage, error) {
	if err := f.begin(ctx, d); err != nil {
		return nil, fmt.Errorf("rowferry: %w", err)
	}
	syscall.Sync() // what was written before is not to slow it down
	v, err := f.run(ctx, port)
	if err != nil {
		return nil, fmt.Errorf("rowferry: %w", err)
	}
	return v, nil
}

// command is a run of Rowferry in its default configuration.
func (f *ferry) command(ctx context.Context, port int, more ...string) *exec.Cmd {
	args := slices.Concat([]string{"run", "-o", "json", "-q", "--name", "bench", "--target", f.goal.url(port), "--state", f.state()}, f.source, more)
	if f.config != "" {
		args = append(args, "-c", f.config)
	}
	bin := f.bin
	if len(f.engine) > 0 {
		bin, args = f.engine[0], append(f.engine[1:], args...)
	}
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	return cmd
}

// run runs Rowferry until it has caught up, and waits for the marker meanwhile.
func (f *ferry) run(ctx context.Context, port int, more ...string) (*voyage, error) {
	cmd := f.command(ctx, port, append(more, "--once")...)
	var out, logged bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &logged
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	begun := time.Now()
	ended, err := startChild(cmd, stop)
	if err != nil {
		return nil, err
	}
	peak := watchMemory(waiting, cmd.Process.Pid)
	err = await(waiting, f.pause, func() (bool, error) {
		over := len(ended) > 0
		seen, err := f.goal.marker(f.log.marker)(waiting)
		if over && !seen && err == nil {
			err = errors.New("it has ended, and the log's last row is not visible")
		}
		return seen, err
	})
	took := time.Since(begun)
	if err != nil && ctx.Err() == nil && waiting.Err() == nil {
		_ = cmd.Process.Kill() // the target cannot be asked, so it is no use
	}
	failed := <-ended
	stop()
	v := &voyage{took: took, peak: <-peak, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if err != nil || failed != nil {
		return nil, fmt.Errorf("%w\n%s%s", errors.Join(ctx.Err(), failed, err), tail(out.String()), tail(logged.String()))
	}
	return v, v.parse(out.Bytes())
}

// parse reads the summary.
func (v *voyage) parse(out []byte) error {
	envelope := struct{ Result *ferrySummary }{&v.summary}
	if err := json.Unmarshal(out, &envelope); err != nil {
		return fmt.Errorf("read the summary: %w\n%s", err, tail(string(out)))
	}
	return nil
}

func (f *ferry) close() error { return errors.Join(f.goal.close(), os.RemoveAll(f.dir)) }

// tail is the end of a text.
func tail(s string) string { return s[max(0, len(s)-3000):] }

// copyPath makes to a copy of from, in place of what was there.
func copyPath(ctx context.Context, from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w\n%s", from, err, out)
	}
	return nil
}
