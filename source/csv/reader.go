package csv

import (
	"errors"
	"io"

	"github.com/rowferry/rowferry"
)

// Sizes, in bytes but for the fields.
const (
	// mostRowBytes is how long a row may be in the file.
	mostRowBytes = 64 << 20
	// mostFields is how many fields of a row are kept; more than a table can have.
	mostFields = 4097
	bufferSize = 256 << 10
	// keptText is how much room for text is kept from one row to the next.
	keptText = 1 << 20
)

// field is one field of a row. Its text is the reader's text from start to end.
type field struct {
	start, end   int
	null, quoted bool
	line, column int // where it begins, both from 1, the column in bytes
}

// lineEnd is how lines end; a file has one way.
type lineEnd uint8

const (
	endUnknown lineEnd = iota
	endLF
	endCRLF
)

// reader reads rows of one file. It holds one row and a buffer. Not safe for
// concurrent use.
type reader struct {
	src    io.Reader
	path   string // for people
	format Format
	limit  int // of a row

	buf      []byte
	pos, end int   // what of buf is not read yet
	base     int64 // bytes of the file before buf
	failed   error // what reading ended with; io.EOF at the end

	line    int   // from 1
	lineAt  int64 // where it begins
	began   int64 // where the row does
	ends    lineEnd
	stops   [256]bool // bytes that mean something in an unquoted field
	stopsIn [256]bool // and in a quoted one

	text    []byte
	fields  []field
	count   int // of the row's fields, those included that are not kept
	escaped bool
	alone   bool // the open field begins with \N
	cut     bool // the file ended, and its last line did not
}

// newReader returns a reader behind the byte order mark. It fails where the file is
// in UTF-16.
func newReader(src io.Reader, path string, f Format) (*reader, error) {
	r := &reader{src: src, path: path, format: f, limit: mostRowBytes, buf: make([]byte, bufferSize), line: 1}
	for _, c := range []byte{f.Delimiter, '\n', '\r'} {
		r.stops[c] = true
	}
	r.stopsIn['\n'] = true
	if f.Quote != 0 {
		r.stops[f.Quote], r.stopsIn[f.Quote] = true, true
	}
	switch f.Escape {
	case EscapeDouble:
	case EscapeMySQL:
		r.stops['\\'], r.stopsIn['\\'] = true, true
	case EscapePostgres:
		r.stopsIn['\\'] = true
	default:
		return nil, rowferry.Errorf(rowferry.CodeInternal, "there is no way to escape %q", f.Escape)
	}
	n, err := io.ReadAtLeast(src, r.buf, 3)
	r.end = n
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, r.unreadable(err)
	}
	head := r.buf[:n]
	switch {
	case n >= 3 && string(head[:3]) == "\xef\xbb\xbf":
		r.pos, r.lineAt = 3, 3
	case n >= 2 && (string(head[:2]) == "\xff\xfe" || string(head[:2]) == "\xfe\xff"),
		n >= 2 && f.Header && (head[0] == 0 || head[1] == 0):
		return nil, rowferry.Errorf(rowferry.CodeCSVText, "the file is in UTF-16, and UTF-8 is read").Fact("file", "%s", path).
			Fact("begins with", "0x%X", head[:2]).Remedy("convert it", "iconv -f UTF-16 -t UTF-8 %s", path)
	}
	return r, nil
}

// more makes sure that there is a byte to read, and is false at the end of the file
// or where it cannot be read.
func (r *reader) more() bool {
	for r.pos == r.end {
		if r.failed != nil {
			return false
		}
		r.base += int64(r.end)
		r.pos, r.end = 0, 0
		if r.base-r.began > int64(r.limit) {
			r.failed = r.errorf(rowferry.CodeCSVTooLong, r.fieldPlace(), "a row is longer than %d MiB", r.limit>>20).
				Remedy("look", "whether a quote before it is not closed, and what quote and escape are")
			return false
		}
		n, err := r.src.Read(r.buf)
		r.end = n
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			r.failed = io.EOF
		default:
			r.failed = r.unreadable(err)
		}
	}
	return true
}

// offset is how much of the file was read.
func (r *reader) offset() int64 { return r.base + int64(r.pos) }

// next reads a row into text and fields, which are valid until the next one is. It
// is false at the end of the file. A line without anything is a row of one empty
// field.
func (r *reader) next() (bool, error) {
	if cap(r.text) > keptText {
		r.text = nil
	}
	r.text, r.fields, r.count, r.began = r.text[:0], r.fields[:0], 0, r.offset()
	if !r.more() {
		return false, r.broken()
	}
	for {
		last, err := r.field()
		if err != nil || last {
			return err == nil, err
		}
	}
}

// broken is what keeps the file from being read, nil at its end.
func (r *reader) broken() error {
	if errors.Is(r.failed, io.EOF) {
		return nil
	}
	return r.failed
}

// field reads one field and what is behind it. last tells that the row ends there.
func (r *reader) field() (last bool, err error) {
	if r.count++; r.count > mostFields { // only counted: it takes the last one's place
		f := r.fields[len(r.fields)-1]
		r.text, r.fields = r.text[:f.start], r.fields[:len(r.fields)-1]
	}
	r.fields = append(r.fields, field{start: len(r.text), line: r.line, column: int(r.offset()-r.lineAt) + 1})
	r.escaped, r.alone = false, false
	if r.format.Quote != 0 && r.more() && r.buf[r.pos] == r.format.Quote {
		r.pos++
		return r.quoted()
	}
	return r.plain()
}

// plain reads a field that is not quoted.
func (r *reader) plain() (last bool, err error) {
	for {
		if !r.more() {
			r.close(false)
			return true, r.endFile()
		}
		r.run(&r.stops)
		if r.pos == r.end {
			continue
		}
		switch c := r.buf[r.pos]; {
		case c == r.format.Delimiter || c == '\n' || c == '\r':
			over, last, err := r.behind()
			if over || err != nil {
				r.close(false)
				return last, err
			}
			if r.format.Escape != EscapeMySQL || r.ends == endCRLF {
				return false, r.errorf(rowferry.CodeCSVSyntax, r.place(), "there is a carriage return that no newline follows, outside quotes")
			}
			r.text = append(r.text, '\r')
		case c != r.format.Quote: // a backslash that escapes
			if err := r.unescape(); err != nil {
				return false, err
			}
		default:
			return false, r.errorf(rowferry.CodeCSVSyntax, r.place(), "there is a quote inside a field that does not begin with one").
				Remedy("look", "whether quote and escape are those of the export; quote: none reads quotes as characters")
		}
	}
}

// quoted reads a field behind its quote.
func (r *reader) quoted() (last bool, err error) {
	for {
		if !r.more() {
			return false, r.unclosed()
		}
		r.run(&r.stopsIn)
		if r.pos == r.end {
			continue
		}
		switch c := r.buf[r.pos]; {
		case c == '\n':
			r.text = append(r.text, c)
			r.pos++
			r.newline()
		case c == '\\' && c != r.format.Quote:
			if err := r.unescape(); err != nil {
				return false, err
			}
		default: // a quote
			r.pos++
			if !r.more() {
				r.close(true)
				return true, r.endFile()
			}
			if r.buf[r.pos] == r.format.Quote && r.format.Escape != EscapePostgres {
				r.text = append(r.text, r.format.Quote)
				r.pos++
				continue
			}
			over, last, err := r.behind()
			if !over && err == nil {
				err = r.errorf(rowferry.CodeCSVSyntax, r.place(), "there is text behind a closing quote").
					Remedy("look", "whether quote and escape are those of the export")
			}
			r.close(true)
			return last, err
		}
	}
}

// run takes over text up to a byte that means something.
func (r *reader) run(stops *[256]bool) {
	i := r.pos
	for i < r.end && !stops[r.buf[i]] {
		i++
	}
	r.text = append(r.text, r.buf[r.pos:i]...)
	r.pos = i
}

// behind reads a delimiter or an end of line, if over, and else at most a carriage
// return.
func (r *reader) behind() (over, last bool, err error) {
	switch r.buf[r.pos] {
	case r.format.Delimiter:
		r.pos++
		return true, false, nil
	case '\n':
		r.pos++
		return true, true, r.endLine(endLF)
	case '\r':
		r.pos++
		if r.more() && r.buf[r.pos] == '\n' {
			r.pos++
			return true, true, r.endLine(endCRLF)
		}
		return false, false, r.broken()
	default:
		return false, false, nil
	}
}

// endLine refuses a file whose lines end in two ways: one of them may be a part of
// a field.
func (r *reader) endLine(e lineEnd) error {
	if r.ends == endUnknown {
		r.ends = e
	}
	if r.ends != e {
		names := map[lineEnd]string{endLF: "LF", endCRLF: "CR LF"}
		return r.errorf(rowferry.CodeCSVSyntax, r.place(), "a row ends with %s, and those before it with %s", names[e], names[r.ends]).
			Remedy("look", "whether the quotes are those of the export; make all lines end alike")
	}
	r.newline()
	return nil
}

// endFile notes that a row ends without an end of line.
func (r *reader) endFile() error {
	r.cut = r.broken() == nil
	return r.broken()
}

func (r *reader) newline() {
	r.line++
	r.lineAt = r.offset()
}

// unescape reads a backslash and what it stands before.
func (r *reader) unescape() error {
	r.pos++
	if !r.more() {
		if err := r.broken(); err != nil {
			return err
		}
		return r.errorf(rowferry.CodeCSVSyntax, r.place(), "the file ends behind a backslash")
	}
	c := r.buf[r.pos]
	if r.format.Escape == EscapePostgres {
		if c == r.format.Quote || c == '\\' {
			r.pos++
		} else {
			c = '\\'
		}
		r.text = append(r.text, c)
		return nil
	}
	r.pos++
	if c == 'N' && len(r.text) == r.fields[len(r.fields)-1].start {
		r.alone = true
	}
	if c == '\n' {
		r.newline()
	}
	switch c {
	case '0':
		c = 0
	case 'b':
		c = '\b'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'Z':
		c = 26
	}
	r.escaped = true
	r.text = append(r.text, c)
	return nil
}

// close ends the open field.
func (r *reader) close(quoted bool) {
	f := &r.fields[len(r.fields)-1]
	f.end, f.quoted = len(r.text), quoted
	if quoted {
		return
	}
	text := r.text[f.start:]
	mysql := r.format.Escape == EscapeMySQL
	switch {
	case mysql && r.alone && len(text) == 1:
		f.null = true
	case r.format.Null == "":
		f.null = !mysql && len(text) == 0
	default:
		f.null = !r.escaped && string(text) == r.format.Null
	}
}
