package mysql

import (
	"io"
)

// holeFile is a file of any size: some bytes, an event of which all but the
// header is zeros, repeated, and some more bytes.
type holeFile struct {
	before, event, after []byte
	each, count          int64
}

func (h *holeFile) open() logBytes {
	r := io.NewSectionReader(h, 0, int64(len(h.before)+len(h.after))+h.each*h.count)
	return sectionFile{r}
}

type sectionFile struct{ *io.SectionReader }

func (sectionFile) Close() error   { return nil }
func (f sectionFile) Size() uint64 { return uint64(f.SectionReader.Size()) }

func (h *holeFile) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = h.at(off + int64(i))
	}
	return len(p), nil
}

func (h *holeFile) at(off int64) byte {
	if off < int64(len(h.before)) {
		return h.before[off]
	}
	off -= int64(len(h.before))
	if off >= h.each*h.count {
		off -= h.each * h.count
		if off < int64(len(h.after)) {
			return h.after[off]
		}
		return 0
	}
	if off %= h.each; off < int64(len(h.event)) {
		return h.event[off]
	}
	return 0
}
