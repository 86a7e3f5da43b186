package csv

import (
	"fmt"
	"strings"
)

// Escape is how a quote stands in a field, and what a backslash is.
type Escape string

// The ways to escape.
const (
	// EscapeDouble: a quote in a quoted field is doubled, and a backslash is a
	// character like others: RFC 4180, PostgreSQL's COPY … CSV, spreadsheets.
	EscapeDouble Escape = "double"
	// EscapeMySQL: what SELECT … INTO OUTFILE … ESCAPED BY '\\' writes, in quotes
	// and outside: \0 \b \n \r \t \Z, \N alone in an unquoted field for NULL, and
	// before any other character that character itself. A doubled quote is one too.
	EscapeMySQL Escape = "mysql"
	// EscapePostgres: what COPY … CSV ESCAPE '\' writes: in quoted fields alone, a
	// backslash before a quote or a backslash.
	EscapePostgres Escape = "postgres"
)

// Binary is how a field has the bytes of BINARY, VARBINARY and BLOB columns.
type Binary string

// The ways to write bytes.
const (
	// BinaryHex: in hexadecimal behind \x or 0x.
	BinaryHex Binary = "hex"
	// BinaryRaw: as they are.
	BinaryRaw Binary = "raw"
)

// Format is how files are written. Their text is UTF-8, and a byte order mark at
// the beginning is passed over.
type Format struct {
	Delimiter byte // between fields
	Quote     byte // around fields; 0 where there are none
	Escape    Escape
	// Null is what an unquoted field has for NULL. Empty: such a field is NULL where
	// it is empty, but with EscapeMySQL, where \N alone is. A quoted field is never
	// NULL.
	Null   string
	Header bool // the first row has the columns' names
	Binary Binary
}

// DefaultFormat is that of most exports.
func DefaultFormat() Format {
	return Format{Delimiter: ',', Quote: '"', Escape: EscapeDouble, Header: true, Binary: BinaryHex}
}

// Validate reports the first way in which a format contradicts itself.
func (f Format) Validate() error {
	switch f.Escape {
	case EscapeDouble, EscapeMySQL, EscapePostgres:
	default:
		return fmt.Errorf("there is no way to escape %q", f.Escape)
	}
	switch f.Binary {
	case BinaryHex, BinaryRaw:
	default:
		return fmt.Errorf("there is no way to write bytes %q", f.Binary)
	}
	if err := CheckSeparator(f.Delimiter); err != nil {
		return err
	}
	if f.Quote != 0 {
		if err := CheckSeparator(f.Quote); err != nil {
			return err
		}
	}
	switch {
	case f.Quote == f.Delimiter:
		return fmt.Errorf("delimiter and quote are both %q", f.Quote)
	case f.Escape != EscapeDouble && (f.Quote == '\\' || f.Delimiter == '\\'):
		return fmt.Errorf(`a backslash escapes, and is delimiter or quote too`)
	case f.Escape == EscapePostgres && f.Quote == 0:
		return fmt.Errorf("a backslash escapes in quoted fields, and there are none")
	case strings.IndexByte(f.Null, f.Delimiter) >= 0, f.Quote != 0 && strings.IndexByte(f.Null, f.Quote) >= 0, strings.ContainsAny(f.Null, "\r\n"):
		return fmt.Errorf("the text for NULL, %q, has the delimiter, the quote or an end of line in it", f.Null)
	case f.Escape == EscapeMySQL && strings.Contains(f.Null, `\`) && f.Null != `\N`:
		return fmt.Errorf(`the text for NULL, %q, has a backslash, which escapes`, f.Null)
	default:
		return nil
	}
}

// CheckSeparator refuses what cannot be a delimiter or quote: all but one ASCII
// character that is no letter, digit, sign, point or end of line.
func CheckSeparator(c byte) error {
	plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	if c == 0 || c >= 0x80 || plain || strings.IndexByte("\r\n.-+", c) >= 0 {
		return fmt.Errorf("%q cannot stand between or around fields", c)
	}
	return nil
}

// describe is the format in one line that changes with it.
func (f Format) describe() string {
	return fmt.Sprintf("delimiter %q, quote %q, escape %s, null %q, header %t, binary %s", f.Delimiter, f.Quote, f.Escape, f.Null, f.Header, f.Binary)
}
