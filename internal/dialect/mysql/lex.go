package mysql

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF    tokenKind = iota
	tokBad              // an unterminated string or quoted name
	tokWord             // keyword or unquoted name
	tokIdent            // quoted name
	tokString           // '…', "…" or N'…'
	tokHex              // x'…', 0x…, b'…', 0b…: a binary literal
	tokNumber
	tokPunct // one byte
)

// token is a piece of the text, by offsets: small, since a statement may have
// as many tokens as bytes.
type token struct {
	kind     tokenKind
	off, end int32
}

// lexer cuts a statement into tokens. Comments are skipped; the contents of an
// executable comment are tokens where the server would execute them.
type lexer struct {
	src     string
	pos     int
	mode    SQLMode
	flavor  Flavor
	version int // of the server, as in executable comments: 80036, 101119
	open    int // executable comments that are open
}

func isSpace(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }
func isDigit(b byte) bool { return b >= '0' && b <= '9' }
func isWord(b byte) bool {
	return b == '_' || b == '$' || b >= 0x80 || isDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'z'
}

// at returns the byte at an offset from the position, or 0 past the end.
func (l *lexer) at(n int) byte {
	if l.pos+n < len(l.src) {
		return l.src[l.pos+n]
	}
	return 0
}

func (l *lexer) token(kind tokenKind, start int) token {
	return token{kind, int32(start), int32(l.pos)}
}

func (l *lexer) next() token {
	l.skipBlank()
	start := l.pos
	if start >= len(l.src) {
		return l.token(tokEOF, start)
	}
	b := l.src[start]
	switch {
	case b == '`' || b == '"' && l.mode&ANSIQuotes != 0:
		return l.quoted(tokIdent, start, false)
	case b == '\'' || b == '"':
		return l.quoted(tokString, start, l.mode&NoBackslashEscapes == 0)
	case l.at(1) == '\'' && (b|0x20 == 'x' || b|0x20 == 'b'):
		l.pos++
		return l.quoted(tokHex, start, false)
	case l.at(1) == '\'' && b|0x20 == 'n':
		l.pos++
		return l.quoted(tokString, start, l.mode&NoBackslashEscapes == 0)
	case isWord(b):
		return l.word(start)
	default:
		l.pos++
		return l.token(tokPunct, start)
	}
}

// skipBlank skips space, comments and the marks of executable comments.
func (l *lexer) skipBlank() {
	for l.pos < len(l.src) {
		b := l.src[l.pos]
		switch {
		case isSpace(b):
			l.pos++
		case b == '#', b == '-' && l.at(1) == '-' && (l.pos+2 == len(l.src) || l.at(2) <= ' '):
			l.skipLine()
		case b == '*' && l.at(1) == '/' && l.open > 0:
			l.open--
			l.pos += 2
		case b == '/' && l.at(1) == '*':
			l.comment()
		default:
			return
		}
	}
}

func (l *lexer) skipLine() {
	if n := strings.IndexByte(l.src[l.pos:], '\n'); n >= 0 {
		l.pos += n + 1
		return
	}
	l.pos = len(l.src)
}

// comment skips a comment, or only the opening mark of one that is executed:
// /*! and, for MariaDB alone, /*M!, each with an optional version.
func (l *lexer) comment() {
	body := l.pos + 3
	switch {
	case l.at(2) == '!':
	case l.at(2) == 'M' && l.at(3) == '!' && l.flavor == MariaDB:
		body++
	default:
		l.skipComment(l.at(2) == 'M' && l.at(3) == '!')
		return
	}
	digits, version := body, 0
	for digits < len(l.src) && digits < body+6 && isDigit(l.src[digits]) {
		version = version*10 + int(l.src[digits]-'0')
		digits++
	}
	if digits-body < 5 { // a bare mark; stray digits are content
		digits, version = body, 0
	}
	if !l.executes(version) {
		l.skipComment(true)
		return
	}
	l.open++
	l.pos = digits
}

// executes reports whether the server runs an executable comment of a version.
// MariaDB leaves out what is meant for the MySQL versions it did not follow.
func (l *lexer) executes(version int) bool {
	if version > l.version {
		return false
	}
	return l.flavor != MariaDB || version < 50700 || version > 99999
}

// skipComment skips a comment. Inside one that is executed elsewhere, the
// servers allow ordinary comments.
func (l *lexer) skipComment(nested bool) {
	depth := 1
	for l.pos += 2; l.pos < len(l.src); l.pos++ {
		switch {
		case nested && l.at(0) == '/' && l.at(1) == '*':
			depth++
			l.pos++
		case l.at(0) == '*' && l.at(1) == '/':
			l.pos++
			if depth--; depth == 0 {
				l.pos++
				return
			}
		}
	}
}

// quoted reads up to the closing quote; the position is at the opening one.
func (l *lexer) quoted(kind tokenKind, start int, escapes bool) token {
	q := l.src[l.pos]
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch b := l.src[l.pos]; {
		case b == '\\' && escapes:
			l.pos++
		case b == q && l.at(1) == q:
			l.pos++
		case b == q:
			l.pos++
			return l.token(kind, start)
		}
	}
	l.pos = len(l.src)
	return l.token(tokBad, start)
}

// word reads a word or a number. A run of digits with letters is a name, unless
// it is a literal; digits after a dot are a name too ("db.1st").
func (l *lexer) word(start int) token {
	digits := true
	for ; l.pos < len(l.src) && isWord(l.src[l.pos]); l.pos++ {
		digits = digits && isDigit(l.src[l.pos])
	}
	text := l.src[start:l.pos]
	switch {
	case start > 0 && l.src[start-1] == '.' && !digits:
		return l.token(tokWord, start)
	case digits:
		if l.at(0) == '.' && isDigit(l.at(1)) {
			for l.pos++; l.pos < len(l.src) && isWord(l.src[l.pos]); l.pos++ {
			}
		}
		return l.token(tokNumber, start)
	case len(text) > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'b') && onlyHex(text[2:]):
		return l.token(tokHex, start)
	case isExponent(text):
		return l.token(tokNumber, start)
	default:
		return l.token(tokWord, start)
	}
}

func onlyHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// isExponent reports whether text is a number such as 1e10.
func isExponent(text string) bool {
	rest := strings.TrimLeft(text, "0123456789")
	return len(rest) > 1 && len(rest) < len(text) && rest[0]|0x20 == 'e' && strings.Trim(rest[1:], "0123456789") == ""
}

// unquote returns the contents of a quoted token's text.
func unquote(text string, escapes bool) string {
	q := text[0]
	body := text[1 : len(text)-1]
	if strings.IndexByte(body, q) < 0 && (!escapes || strings.IndexByte(body, '\\') < 0) {
		return body
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == q && i+1 < len(body) && body[i+1] == q:
			i++
			b.WriteByte(q)
		case c == '\\' && escapes && i+1 < len(body):
			i++
			b.WriteString(escape(body[i]))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escape returns what a backslash and a byte stand for, as the servers say:
// https://dev.mysql.com/doc/refman/9.7/en/string-literals.html
func escape(b byte) string {
	switch b {
	case '0':
		return "\x00"
	case 'b':
		return "\b"
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	case 'Z':
		return "\x1a"
	case '%', '_':
		return "\\" + string(rune(b))
	default:
		return string([]byte{b})
	}
}

// clip shortens a statement for people, at a rune's edge.
func clip(sql string) string {
	const most = 200
	if len(sql) <= most {
		return strings.ToValidUTF8(sql, "\uFFFD")
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(sql[n]) {
		n--
	}
	return strings.ToValidUTF8(sql[:n], "\uFFFD") + "…"
}
