//go:build failpoint

package failpoint

import (
	"os"
	"syscall"
)

// stageFile is a mapped stage file: setting the stage costs a lookup and a
// store of one byte, and the store survives SIGKILL.
type stageFile struct {
	data  []byte
	slots map[string]byte
}

func openStage(path string) (*stageFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(stageSlot * stageSlots); err != nil {
		return nil, err
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, stageSlot*stageSlots, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &stageFile{data: data, slots: map[string]byte{}}, nil
}

// set is called under the lock of points.
func (s *stageFile) set(name string) {
	n, ok := s.slots[name]
	if !ok {
		if len(s.slots) == stageSlots-1 || len(name) >= stageSlot {
			panic("failpoint: too many names, or a name too long: " + name)
		}
		n = byte(len(s.slots) + 1)
		copy(s.data[int(n)*stageSlot:], name)
		s.slots[name] = n
	}
	s.data[0] = n
}
