package jsonl

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/rowferry/rowferry"
)

// summed is how many bytes before the end of an extent are in its sum: enough
// to tell another file of the same name, whose events have other ids.
const summed = 4 << 10

// extent is how much of which file is committed.
type extent struct {
	path string
	size int64
	sum  uint32 // CRC-32 (IEEE) of the last bytes up to size
}

func (e extent) String() string { return fmt.Sprintf("%s %d %08x", e.path, e.size, e.sum) }

// parseExtent reads what String wrote. The path may have spaces.
func parseExtent(text string) (extent, error) {
	bad := rowferry.Errorf(rowferry.CodeStateCorrupt, "the recorded extent of a file cannot be read: %q", text)
	i := strings.LastIndexByte(text, ' ')
	k := strings.LastIndexByte(text[:max(i, 0)], ' ')
	if k <= 0 {
		return extent{}, bad
	}
	size, err := strconv.ParseInt(text[k+1:i], 10, 64)
	if err != nil || size < 0 {
		return extent{}, bad
	}
	sum, err := strconv.ParseUint(text[i+1:], 16, 32)
	if err != nil {
		return extent{}, bad
	}
	return extent{text[:k], size, uint32(sum)}, nil
}

// Extent returns the file's absolute path, how many bytes of it are committed,
// and a sum of the last of them. It is "" for a stream.
func (s *Sink) Extent() string {
	if !s.regular {
		return ""
	}
	return extent{s.path, s.size, s.sum}.String()
}

// Adopt makes the file as it was when recorded was its extent: events beyond
// it are cut off. A stream has nothing to adopt, and refuses the extent of a
// file, whose rows it does not have.
func (s *Sink) Adopt(ctx context.Context, recorded string) error {
	if s.open != nil {
		return rowferry.Errorf(rowferry.CodeInternal, "a file is adopted while a batch is open")
	}
	err := s.adopt(ctx, recorded)
	if err != nil && s.made && s.length == 0 {
		// Nobody else has it: it was made by Open and is locked.
		s.made = false
		err = errors.Join(err, s.translate(os.Remove(s.path)))
	}
	return err
}

func (s *Sink) adopt(ctx context.Context, recorded string) error {
	if recorded == "" {
		if s.length == 0 || !s.regular {
			return nil
		}
		return rowferry.Errorf(rowferry.CodeTargetOccupied, "a new pipeline was given a file that is not empty").
			Fact("file", "%s", s.path).Fact("size", "%d", s.length).
			Remedy("start over", "remove the file or choose another, and run the same command again").
			Remedy("go on", "put the state directory back that belongs to the file")
	}
	want, err := parseExtent(recorded)
	if err != nil {
		return err
	}
	if why, err := s.lost(want); err != nil || why != "" {
		if err != nil {
			return err
		}
		found := strconv.FormatInt(s.length, 10)
		if s.made {
			found = "no file"
		}
		return rowferry.Errorf(rowferry.CodeTargetLost, "%s", why).
			Fact("file", "%s", s.targetName()).Fact("recorded file", "%s", want.path).
			Fact("recorded size", "%d", want.size).Fact("found size", "%s", found).
			Remedy("go on", "put the file %s back, and run the same command again with it as the target", want.path).
			Remedy("start over", "remove the state directory and the file, and give the log files from the start on")
	}
	if err := s.events(ctx, want.size); err != nil {
		return err
	}
	if err := s.cut(want.size); err != nil {
		return err
	}
	s.size, s.sum = want.size, want.sum
	return nil
}

// lost says in what way the file is not the one that was recorded, or "".
func (s *Sink) lost(want extent) (string, error) {
	switch {
	case !s.regular:
		return "the pipeline was writing to a file, and the target is none", nil
	case s.path != want.path:
		return "the pipeline was writing to another file", nil
	case s.made && want.size > 0:
		return "the file that the pipeline was writing is gone", nil
	case s.length < want.size:
		return "the file is shorter than what was committed to it", nil
	}
	sum, err := s.sumUpTo(want.size)
	if err != nil || sum == want.sum {
		return "", err
	}
	return "the file has other content than what was committed to it", nil
}

func (s *Sink) targetName() string {
	if s.regular {
		return s.path
	}
	return s.name
}

// settle takes the file up to size for committed.
func (s *Sink) settle(size int64) error {
	sum, err := s.sumUpTo(size)
	if err == nil {
		s.size, s.sum = size, sum
	}
	return err
}

func (s *Sink) sumUpTo(size int64) (uint32, error) {
	b := make([]byte, min(size, summed))
	if _, err := s.file.ReadAt(b, size-int64(len(b))); err != nil {
		return 0, s.translate(err)
	}
	return crc32.ChecksumIEEE(b), nil
}

// lock makes this sink the file's only writer until the file is closed.
func (s *Sink) lock() error {
	for {
		err := syscall.Flock(int(s.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return rowferry.Errorf(rowferry.CodeTargetHeld, "another program has the target file open for writing").
				Fact("file", "%s", s.name)
		case err != nil:
			return s.translate(fmt.Errorf("the file cannot be locked: %w", err))
		default:
			return nil
		}
	}
}

// mine demands that the file is as long as this sink left it, and is still
// what its path names.
func (s *Sink) mine() error {
	info, err := s.file.Stat()
	if err != nil {
		return s.translate(err)
	}
	if info.Size() != s.length {
		return rowferry.Errorf(rowferry.CodeTargetHeld, "another program changed the target file while it was being written").
			Fact("file", "%s", s.path).Fact("expected size", "%d", s.length).Fact("found size", "%d", info.Size())
	}
	named, err := os.Stat(s.path)
	if err != nil && !os.IsNotExist(err) {
		return s.translate(err)
	}
	if err != nil || !os.SameFile(info, named) {
		lost := rowferry.Errorf(rowferry.CodeTargetLost, "the target file was moved or removed while it was being written")
		lost.Unharmed = "What was committed to the file before is in it."
		return lost.Fact("file", "%s", s.path).Fact("size", "%d", s.size).
			Remedy("go on", "put the file back, and run the same command again").
			Remedy("start over", "remove the state directory and the file, and give the log files from the start on")
	}
	return nil
}

// cut takes back what was written beyond size, unless somebody else wrote to
// the file: it could be theirs.
func (s *Sink) cut(size int64) error {
	if !s.regular || s.length == size {
		return nil
	}
	if err := s.mine(); err != nil && rowferry.CodeOf(err) != rowferry.CodeTargetLost {
		return err
	}
	if err := s.file.Truncate(size); err != nil {
		return s.translate(err)
	}
	s.length = size
	return nil
}
