package mysql

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rowferry/rowferry"
)

// LoadDump learns the shapes of a schema dump: what mysqldump or mariadb-dump
// --no-data writes, or statements by hand. db is the database of statements
// before any USE. Rows in the dump are passed over in little memory. The error
// is a *rowferry.Error of CodeBadDump; the catalog is then worth nothing.
func (c *Catalog) LoadDump(r io.Reader, db string) error {
	s := &splitter{r: bufio.NewReaderSize(r, 64<<10), delimiter: ";", line: 1}
	tables := 0
	for {
		line := s.line
		sql, err := s.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return rowferry.Errorf(rowferry.CodeBadDump, "the schema dump cannot be read: %w", err).Fact("line", "%d", line)
		}
		if sql == "" {
			continue
		}
		st := Statement{Database: db, SQL: sql, SQLMode: s.mode}
		if use, ok := c.useOf(&st); ok {
			db = use
			continue
		}
		effects, err := c.apply(&st, true)
		if err == nil {
			err = dumpEffects(effects, &tables)
		}
		if err != nil {
			return badDump(err, s.began, sql)
		}
		if mode, ok := c.modeOf(&st); ok {
			s.mode = mode
		}
	}
	if tables == 0 {
		return rowferry.Errorf(rowferry.CodeBadDump, "the schema dump has no CREATE TABLE")
	}
	return nil
}

func badDump(err error, line int, sql string) error {
	cause := err
	var st *StatementError
	if errors.As(err, &st) {
		cause = st.Err.Err
	}
	e := rowferry.Errorf(rowferry.CodeBadDump, "a statement of the schema dump cannot be read: %w", cause)
	e.Fact("line", "%d", line)
	if st != nil {
		for _, n := range st.Tables {
			e.Fact("table", "%s", n)
		}
	}
	return e.Fact("statement", "%s", clip(sql))
}

// dumpEffects counts new tables, and refuses what a dump of shapes cannot have
// or what leaves a shape open.
func dumpEffects(effects []Effect, tables *int) error {
	for _, e := range effects {
		switch {
		case e.Kind == Unknown:
			return fmt.Errorf("it is no statement this program knows")
		case e.Kind == Created && e.After == nil:
			return fmt.Errorf("it does not say the columns of %s", e.Table)
		case e.Kind == Created:
			*tables++
		case e.Kind == Altered && e.After == nil:
			return fmt.Errorf("%s", e.Detail)
		}
	}
	return nil
}

// useOf returns the database of USE.
func (c *Catalog) useOf(st *Statement) (string, bool) {
	cur := c.cursor(st)
	if !cur.accept("USE") {
		return "", false
	}
	db, err := cur.ident()
	return db, err == nil
}

// modeOf returns the SQL mode of SET … SQL_MODE = '…', as far as it changes how
// statements are cut. A mode that comes from a variable is the default.
func (c *Catalog) modeOf(st *Statement) (SQLMode, bool) {
	cur := c.cursor(st)
	if !cur.accept("SET") {
		return 0, false
	}
	for ; !cur.end(); cur.take() {
		if cur.wordAt(0) != "SQL_MODE" || !cur.isPunct(1, '=') {
			continue
		}
		var mode SQLMode
		for name := range strings.SplitSeq(strings.ToUpper(cur.text(cur.peek(2))), ",") {
			switch name {
			case "ANSI", "ANSI_QUOTES", "POSTGRESQL", "DB2", "MSSQL":
				mode |= ANSIQuotes
			case "ORACLE":
				mode |= ANSIQuotes | Oracle
			case "MAXDB":
				mode |= ANSIQuotes | MaxDB
			case "NO_BACKSLASH_ESCAPES":
				mode |= NoBackslashEscapes
			case "REAL_AS_FLOAT":
				mode |= RealAsFloat
			}
		}
		if cur.peek(2).kind == tokString || cur.isPunct(2, '@') {
			return mode, true
		}
	}
	return 0, false
}

func (c *Catalog) cursor(st *Statement) *cursor {
	return &cursor{db: st.Database, lexer: lexer{src: st.SQL, mode: st.SQLMode, flavor: c.flavor, version: c.version}}
}

// splitter cuts a dump into statements, as the command-line clients do.
type splitter struct {
	r         *bufio.Reader
	delimiter string
	mode      SQLMode
	line      int // of the next byte
	began     int // line of the statement returned last

	text    strings.Builder
	word    []byte // the first word outside executable comments
	wordEnd bool
	skip    bool // rows: not kept
	open    int  // executable comments that are open
}

// next returns the next statement without its delimiter and comments, or "" for
// one with rows. io.EOF is the end.
func (s *splitter) next() (string, error) {
	s.text.Reset()
	s.word, s.wordEnd, s.skip, s.open, s.began = s.word[:0], false, false, 0, 0
	for {
		b, err := s.read()
		if err == io.EOF && strings.TrimSpace(s.text.String()) != "" {
			return s.text.String(), nil
		}
		if err != nil {
			return "", err
		}
		done, err := s.step(b)
		if err != nil || done {
			return s.text.String(), err
		}
	}
}

func (s *splitter) read() (byte, error) {
	b, err := s.r.ReadByte()
	if b == '\n' {
		s.line++
	}
	return b, err
}

// step takes one byte outside quotes, and reports whether a statement ends.
func (s *splitter) step(b byte) (done bool, err error) {
	next, _ := s.r.Peek(3)
	switch {
	case b == '\'' || b == '"' || b == '`':
		return false, s.quoted(b)
	case b == '#', b == '-' && len(next) > 0 && next[0] == '-' && (len(next) == 1 || next[1] <= ' '):
		return false, s.skipLine()
	case b == '/' && len(next) > 1 && next[0] == '*':
		if next[1] != '!' && !(next[1] == 'M' && len(next) > 2 && next[2] == '!') {
			return false, s.skipComment()
		}
		s.open++
	case b == '*' && len(next) > 0 && next[0] == '/' && s.open > 0:
		s.open--
		if _, err := s.read(); err != nil {
			return false, err
		}
		return false, s.keep('*', '/')
	case b == s.delimiter[0] && s.ends():
		_, err := s.r.Discard(len(s.delimiter) - 1)
		return true, err
	}
	s.firstWord(b)
	if s.wordEnd && strings.EqualFold(string(s.word), "DELIMITER") {
		if b == '\n' {
			return false, errors.New("DELIMITER without a delimiter")
		}
		return false, s.setDelimiter()
	}
	return false, s.keep(b)
}

func (s *splitter) ends() bool {
	rest := s.delimiter[1:]
	next, _ := s.r.Peek(len(rest))
	return string(next) == rest
}

// firstWord collects the statement's first word and decides whether to keep it.
func (s *splitter) firstWord(b byte) {
	if s.wordEnd || s.open > 0 {
		return
	}
	if isWord(b) && len(s.word) < 16 {
		s.word = append(s.word, b)
		return
	}
	if len(s.word) == 0 {
		return
	}
	s.wordEnd = true
	switch strings.ToUpper(string(s.word)) {
	case "INSERT", "REPLACE":
		s.skip = true
		s.text.Reset()
	}
}

// setDelimiter reads the rest of the client's command DELIMITER.
func (s *splitter) setDelimiter() error {
	line, err := s.r.ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	s.line++
	fields := strings.Fields(line)
	if len(fields) == 0 || len(fields[0]) > 16 {
		return errors.New("DELIMITER without a delimiter")
	}
	s.delimiter = fields[0]
	s.text.Reset()
	s.word, s.wordEnd = s.word[:0], false
	return nil
}

// keep adds bytes to the statement, unless it is passed over.
func (s *splitter) keep(b ...byte) error {
	if s.skip {
		return nil
	}
	if s.began == 0 && !isSpace(b[0]) {
		s.began = s.line
	}
	if s.began == 0 {
		return nil
	}
	if s.text.Len() >= maxStatement {
		return fmt.Errorf("a statement has more than %d bytes", maxStatement)
	}
	s.text.Write(b)
	return nil
}

// quoted takes a string or quoted name up to its closing quote.
func (s *splitter) quoted(q byte) error {
	if !s.wordEnd && len(s.word) > 0 {
		s.wordEnd = true
	}
	err := s.keep(q)
	escapes := q == '\'' && s.mode&NoBackslashEscapes == 0 || q == '"' && s.mode&(NoBackslashEscapes|ANSIQuotes) == 0
	for err == nil {
		var b byte
		if b, err = s.read(); err != nil {
			return unended(err, "quote")
		}
		if err = s.keep(b); err != nil || b == q {
			return err
		}
		if b == '\\' && escapes {
			if b, err = s.read(); err == nil {
				err = s.keep(b)
			} else {
				err = unended(err, "quote")
			}
		}
	}
	return err
}

func (s *splitter) skipLine() error {
	s.firstWord('\n')
	for {
		if b, err := s.read(); err == io.EOF || b == '\n' {
			return s.keep('\n')
		} else if err != nil {
			return err
		}
	}
}

func (s *splitter) skipComment() error {
	s.firstWord(' ')
	if _, err := s.read(); err != nil { // the star
		return unended(err, "comment")
	}
	for last := byte(0); ; {
		b, err := s.read()
		if err != nil {
			return unended(err, "comment")
		}
		if last == '*' && b == '/' {
			return s.keep(' ')
		}
		last = b
	}
}

func unended(err error, what string) error {
	if err == io.EOF {
		return fmt.Errorf("a %s does not end", what)
	}
	return err
}
