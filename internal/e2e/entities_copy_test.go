package e2e

import (
	"bytes"
	"os"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// entStrikes are the kills of a copy whose rows get keys: what is met in loading
// alone, then in merging and in carrying.
var entStrikes = []string{
	"copy.chunk:kill@3", "copy.committed:kill@6", "copy.chunk:kill@9",
	"apply:kill@1", "recorded:kill@1", "confirm:kill@1",
	"confirm:kill@1/carry", "recorded:kill@1/carry", "map:kill@1500/carry", "apply:kill@2/carry", "record.written:kill@2/carry",
}

// copied has a copy made while the writers go on, under strikes in each part of it.
// Writers are let go on by so many transactions in all.
func (c *entCampaign) copied(transactions int) {
	c.t.Helper()
	for c.written.Load() < c.free {
		time.Sleep(5 * time.Millisecond) // until the writers have come so far
	}
	phases := map[rowferry.CopyPhase]int{}
	for _, strike := range entStrikes {
		c.free += int64(transactions / len(entStrikes))
		c.applied.Store(max(c.applied.Load(), c.free))
		if c.strike(strike) {
			phases[c.held().Copy.Phase]++
		}
	}
	for _, phase := range []rowferry.CopyPhase{rowferry.Loading, rowferry.Merging, rowferry.Carrying} {
		if phases[phase] == 0 {
			c.t.Errorf("no kill found the copy %s: %v", phase, phases)
		}
	}
}

// strike has an engine go on until it is struck, or until it follows.
func (c *entCampaign) strike(failpoint string) (struck bool) {
	c.t.Helper()
	var output bytes.Buffer
	cmd := command(c.t, "failpoint", c.args()...)
	cmd.Env = append(os.Environ(), "ROWFERRY_FAILPOINT="+failpoint)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // the exit code is what counts
	struck = true
	for stuck := c.stuck(); ; {
		select {
		case <-ended:
		case <-time.After(50 * time.Millisecond):
			if stuck() {
				_ = cmd.Process.Kill() // it may have ended
				c.t.Fatalf("struck by %s at no time:\n%s", failpoint, output.String())
			}
			if !c.begun() || c.held().Copy.Phase != rowferry.Copied || c.arrived() < c.free {
				continue
			}
			struck = false
			_ = cmd.Process.Kill() // it may have ended
		}
		break
	}
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != -1 || c.pair.complaints(output.String()) != nil {
		c.t.Fatalf("exit %d, struck by %s:\n%s", code, failpoint, output.String())
	}
	return struck
}

// begun reports whether the target has a checkpoint.
func (c *entCampaign) begun() bool {
	n, err := c.goal.number(strings.Replace(c.goal.sequenceQuery(), "sequence", "COUNT(*)", 1))
	return err == nil && n > 0
}

// stuck returns a function that reports whether nothing was committed for too long.
func (c *entCampaign) stuck() func() bool {
	sequence, since := int64(-1), time.Now()
	return func() bool {
		n, err := c.goal.number(c.goal.sequenceQuery())
		if err == nil && n != sequence {
			sequence, since = n, time.Now()
		}
		return time.Since(since) > hung
	}
}
