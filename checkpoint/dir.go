package checkpoint

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rowferry/rowferry"
)

const (
	formatName = "FORMAT"
	badgerName = "badger"
	spoolName  = "spool"
	stageName  = "stage"
	stageOld   = "stage.old" // being removed
)

// stateFormat is the version of the state directory that this program writes. Version 1,
// of which no release was made, had no packs.
const stateFormat = 2

// format is the content of the FORMAT file, the last thing that is written
// when a directory is made.
type format struct {
	Format   int       `json:"format"`
	ID       string    `json:"id"`
	Pipeline string    `json:"pipeline"`
	Created  time.Time `json:"created"`
}

// makeDir makes the directory where it is missing and checks that nobody else
// may look into it.
func makeDir(dir string) error {
	if err := checkMode(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return unwritable(dir, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		if isFull(err) {
			return fullError(dir, err)
		}
		return unwritable(dir, err)
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return unwritable(dir, err)
	}
	return checkMode(dir)
}

func checkMode(dir string) error {
	fi, err := os.Stat(dir)
	switch {
	case err != nil:
		return unwritable(dir, err)
	case !fi.IsDir():
		return unwritable(dir, fmt.Errorf("%s is not a directory", dir))
	case fi.Mode().Perm()&0o077 != 0:
		return rowferry.Errorf(rowferry.CodeStateOpen, "the state directory is readable by others").
			Fact("directory", "%s", dir).Fact("mode", "%04o", fi.Mode().Perm()).
			Remedy("close it", "chmod 700 '%s'", dir)
	}
	return nil
}

// readFormat returns nil where the directory has no FORMAT file.
func readFormat(dir string) (*format, error) {
	b, err := readSmall(filepath.Join(dir, formatName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, unwritable(dir, err)
	}
	if err != nil {
		return nil, corrupt(dir, err)
	}
	f, err := parseFormat(b)
	if err != nil {
		return nil, corrupt(dir, fmt.Errorf("%s: %w", formatName, err))
	}
	code, than := rowferry.CodeStateNewer, "a newer"
	switch {
	case f.Format == stateFormat:
		return f, nil
	case f.Format < stateFormat:
		code, than = rowferry.CodeStateOlder, "an older"
	}
	return f, rowferry.Errorf(code, "the state directory is from %s version", than).
		Fact("directory", "%s", dir).Fact("format", "%d", f.Format).Fact("known", "%d", stateFormat)
}

// parseFormat reads a FORMAT file. Of another format it asks for no more than the
// number.
func parseFormat(b []byte) (*format, error) {
	var f format
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	if f.Format <= 0 {
		return nil, fmt.Errorf("no format version")
	}
	if f.Format != stateFormat {
		return &f, nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&format{}); err != nil {
		return nil, err
	}
	if f.ID == "" || f.Pipeline == "" {
		return nil, fmt.Errorf("no state id or no pipeline")
	}
	return &f, nil
}

// writeFormat makes the directory a state directory: durably, all or nothing.
func writeFormat(dir string, f *format) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, formatName+".new")
	if err := writeSynced(tmp, append(b, '\n')); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, formatName)); err != nil {
		return err
	}
	return syncDir(dir)
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}

// foreign returns the first name in the directory that is not ours, or "".
// It protects what a mistyped path points to.
func foreign(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		switch e.Name() {
		case lockName, reserveName, badgerName, spoolName, formatName + ".new", closedName, closedName + ".new":
		default:
			return e.Name(), nil
		}
	}
	return "", nil
}

// wipeSpool removes what a process that died left of its transactions.
func wipeSpool(dir string) error {
	path := filepath.Join(dir, spoolName)
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.Mkdir(path, 0o700)
}
