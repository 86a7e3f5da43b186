package failpoint

import (
	"bytes"
	"fmt"
	"os"
)

// The stage file is 256 slots of 64 bytes. Slot 0 begins with the number of
// the slot that holds the name hit last; 0 means that none was. A name is
// written before its number is, and never changes, so whoever reads the file
// after the process died sees a whole name.
const (
	stageSlot  = 64
	stageSlots = 256
)

// ReadStage returns the name hit last by a process that ran, or runs, with
// ROWFERRY_FAILPOINT_STAGE set to path; "" when it hit none.
func ReadStage(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if len(b) != stageSlot*stageSlots {
		return "", fmt.Errorf("%s is not a stage file: %d bytes", path, len(b))
	}
	if b[0] == 0 {
		return "", nil
	}
	slot := b[int(b[0])*stageSlot:][:stageSlot]
	name, _, _ := bytes.Cut(slot, []byte{0})
	return string(name), nil
}
