package jsonl

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/rowferry/rowferry"
)

// head is how every line begins.
var head = []byte(`{"schema":` + strconv.Itoa(Version) + `,`)

// whole returns how much of the file is whole lines. What follows them has to
// be the beginning of an event, which a crash tore: it will be cut off. A file
// that ends in anything else is refused as it is.
func (s *Sink) whole() (int64, error) {
	end, err := s.lastLineEnd(s.length)
	if err != nil || end == s.length {
		return end, err
	}
	torn := make([]byte, min(int64(len(head)), s.length-end))
	if _, err := s.file.ReadAt(torn, end); err != nil {
		return 0, s.translate(err)
	}
	if !bytes.HasPrefix(head, torn) {
		return 0, s.notEvents(end)
	}
	return end, nil
}

func (s *Sink) notEvents(from int64) error {
	return rowferry.Errorf(rowferry.CodeTarget, "the file ends in what is not an event, so it is left as it is").
		Fact("file", "%s", s.name).Fact("from byte", "%d", from).
		Remedy("go on", "move what is not Rowferry's out of the file, and run the same command again")
}

// events demands that every line from the given offset on begins as an event
// does, the last one as far as it goes.
func (s *Sink) events(ctx context.Context, from int64) error {
	r := bufio.NewReaderSize(io.NewSectionReader(s.file, from, s.length-from), 64<<10)
	for at := from; at < s.length; {
		if err := ctx.Err(); err != nil {
			return err
		}
		begin, err := r.Peek(len(head))
		if err != nil && !errors.Is(err, io.EOF) {
			return s.translate(err)
		}
		if !bytes.HasPrefix(head, begin) {
			return s.notEvents(at)
		}
		for more := true; more; {
			piece, err := r.ReadSlice('\n')
			at += int64(len(piece))
			if more = errors.Is(err, bufio.ErrBufferFull); err != nil && !more && !errors.Is(err, io.EOF) {
				return s.translate(err)
			}
		}
	}
	return nil
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
