package jsonl

import (
	"bytes"
	"strconv"

	"github.com/rowferry/rowferry"
)

// head is how every line begins.
var head = []byte(`{"schema":` + strconv.Itoa(Version) + `,`)

// mend cuts off a last line without its line feed, which a crash left behind,
// and returns the size of what remains. A file whose last line is not one of
// ours is refused as it is: it may be anything.
func (s *Sink) mend(size int64) (int64, error) {
	end, err := s.lastLineEnd(size)
	if err != nil || end == size {
		return end, err
	}
	torn := make([]byte, min(int64(len(head)), size-end))
	if _, err := s.file.ReadAt(torn, end); err != nil {
		return 0, s.translate(err)
	}
	if !bytes.HasPrefix(head, torn) {
		return 0, rowferry.Errorf(rowferry.CodeTarget, "the file ends in the middle of a line that is not an event, so it is left as it is").
			Fact("file", "%s", s.name).Fact("from byte", "%d", end)
	}
	if err := s.file.Truncate(end); err != nil {
		return 0, s.translate(err)
	}
	return end, s.translate(s.file.Sync())
}

// lastLineEnd returns the offset after the last line feed, reading backwards.
func (s *Sink) lastLineEnd(size int64) (int64, error) {
	var b [64 << 10]byte
	for end := size; end > 0; {
		start := max(0, end-int64(len(b)))
		piece := b[:end-start]
		if _, err := s.file.ReadAt(piece, start); err != nil {
			return 0, s.translate(err)
		}
		if i := bytes.LastIndexByte(piece, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}
