package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// closedName is the file that Close leaves: what was there when it ended. The
// next Open compares and removes it before it records anything. Without it, a
// manifest that lost its end after a clean shutdown would be taken for one
// that a crash tore, and an older state, or none, for the newest.
const closedName = "CLOSED"

type closedMark struct {
	Newest uint64 `json:"newest"`
	First  uint64 `json:"first"`
	Kept   int    `json:"kept"`
	Shapes uint64 `json:"shapes"`
}

func (h *history) mark() closedMark {
	return closedMark{Newest: h.newest(), First: h.head.first, Kept: len(h.kept), Shapes: h.shapes}
}

// writeClosed is called when the database is closed. Failing to write it
// costs the next Open a check and nothing else, so a full disk is no error.
func writeClosed(dir string, m closedMark) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, closedName+".new")
	if err = writeSynced(tmp, append(b, '\n')); err == nil {
		err = os.Rename(tmp, filepath.Join(dir, closedName))
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	if isFull(err) {
		return nil
	}
	return err
}

// readClosed returns nil after anything but a clean shutdown.
func readClosed(dir string) (*closedMark, error) {
	b, err := readSmall(filepath.Join(dir, closedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m closedMark
	if err := decodeStrict(b, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", closedName, err)
	}
	return &m, nil
}

func removeClosed(dir string) error {
	err := os.Remove(filepath.Join(dir, closedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(dir))
}

// checkClosed compares what Close left with what is there.
func (h *history) checkClosed(m *closedMark) error {
	if m == nil || *m == h.mark() {
		return nil
	}
	return fmt.Errorf("it was closed with %+v and has %+v", *m, h.mark())
}
