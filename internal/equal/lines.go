package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
)

// lines reads a dump line by line.
type lines struct {
	file *os.File
	r    *bufio.Reader
	line string // the current one, without its end; empty after the last
	err  error
}

func newLines(f *os.File) (*lines, error) {
	l := &lines{file: f, r: bufio.NewReaderSize(f, 1<<20)}
	l.next()
	if l.line != "" && !strings.HasPrefix(l.line, "table\t") {
		l.err = errors.New("it is not a dump: " + shorten(l.line))
	}
	return l, l.err
}

// next steps to the following line. A line is never empty and never cut: a dump
// whose last line has no end was not written whole.
func (l *lines) next() {
	line, err := l.r.ReadString('\n')
	l.line = strings.TrimSuffix(line, "\n")
	if errors.Is(err, io.EOF) && line != "" {
		err = errors.New("the dump ends in the middle of a line")
	}
	if err != nil {
		l.line = ""
		if !errors.Is(err, io.EOF) {
			l.err = err
		}
	}
}

// inTable reports whether the current line still belongs to the table before it.
func (l *lines) inTable() bool { return l.line != "" && !strings.HasPrefix(l.line, "table\t") }

func (l *lines) skipTable() {
	l.next()
	for l.inTable() {
		l.next()
	}
}

func (l *lines) close() { l.file.Close() }
