package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
)

// logFile is one file of a log: its path, and its name taken apart.
type logFile struct {
	path, name string
	prefix     string // the name without its number
	number     uint64
	numbered   bool
}

func newLogFile(path string) logFile {
	f := logFile{path: path, name: filepath.Base(path)}
	f.prefix, f.number, f.numbered = splitName(f.name)
	return f
}

// splitName takes the number off "mysql-bin.000042".
func splitName(name string) (prefix string, number uint64, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, 0, false
	}
	digits := name[i+1:]
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return name, 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return name[:i], n, err == nil
}

// follows reports whether a file called next may come after f; why not, if
// not. Names without a number tell nothing.
func (f logFile) follows(next logFile) error {
	if !f.numbered || !next.numbered {
		return nil
	}
	if f.prefix != next.prefix || next.number != f.number+1 {
		return rowferry.Errorf(rowferry.CodeLogMissing, "%s is followed by %s", f.name, next.name).
			Fact("need", "%s", f.successor(len(f.name)-len(f.prefix)-1)).
			Remedy("add the missing file", "give every file from %s to %s", f.name, next.name)
	}
	return nil
}

func (f logFile) successor(width int) string {
	return fmt.Sprintf("%s.%0*d", f.prefix, width, f.number+1)
}

// logBytes is an open log file. Its size does not change while it is read:
// what a server appends meanwhile is not seen.
type logBytes interface {
	io.ReadSeekCloser
	// Size returns the file's size, or endless where only reading tells.
	Size() uint64
}

// endless is the size of a file that is read from a server. Its errors are
// ours already, or the context's; io.EOF comes only between two events.
const endless = math.MaxUint64

// opener opens a file of the log. ctx bounds the opening, and for a server's log
// the reading too.
type opener func(ctx context.Context, path string) (logBytes, error)

type osFile struct {
	*os.File
	size uint64
}

func (f osFile) Size() uint64 { return f.size }

func openLog(path string) (logBytes, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, errors.Join(unreadable(path, err), f.Close())
	}
	return osFile{f, uint64(info.Size())}, nil
}

func unreadable(path string, err error) error {
	return rowferry.Errorf(rowferry.CodeLogUnreadable, "cannot read %s: %w", path, err)
}

// expand turns the given paths and patterns into the sequence of files, in
// order of their number. A pattern takes only names that end in a number,
// since the same directory holds the log's index; a plain path is taken as it
// is.
func expand(paths []string) ([]logFile, error) {
	var files []logFile
	for _, p := range paths {
		if !strings.ContainsAny(p, "*?[") {
			files = append(files, newLogFile(p))
			continue
		}
		names, err := filepath.Glob(p)
		if err != nil {
			return nil, rowferry.Errorf(rowferry.CodeBadValue, "%q is not a pattern of file names: %w", p, err)
		}
		for _, n := range names {
			if f := newLogFile(n); f.numbered {
				files = append(files, f)
			}
		}
	}
	if len(files) == 0 {
		return nil, rowferry.Errorf(rowferry.CodeLogUnreadable, "no log file matches %s", strings.Join(paths, " "))
	}
	return sequence(files)
}

// sequence sorts files by number and refuses a name given twice. Files
// without numbers stay as given.
func sequence(files []logFile) ([]logFile, error) {
	if !slices.ContainsFunc(files, func(f logFile) bool { return !f.numbered }) {
		slices.SortStableFunc(files, func(a, b logFile) int {
			return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.prefix, b.prefix))
		})
	}
	seen := map[string]string{}
	for _, f := range files {
		if other, twice := seen[f.name]; twice {
			return nil, rowferry.Errorf(rowferry.CodeUsage, "log file %s is given twice", f.name).
				Fact("first", "%s", other).Fact("second", "%s", f.path)
		}
		seen[f.name] = f.path
	}
	return files, nil
}
