package mysql

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// cursor walks the tokens of one statement, cutting them as they are needed.
type cursor struct {
	lexer
	tokens []token
	i      int
	db     string // the default database
}

// errSyntax says that a statement is not what its first keywords promise.
var errSyntax = errors.New("unexpected syntax")

func syntaxError(c *cursor, want string) error {
	return fmt.Errorf("%w: expected %s near %q", errSyntax, want, clip(c.rest()))
}

// rest returns the text from the next token on.
func (c *cursor) rest() string { return c.src[c.peek(0).off:] }

// peek returns the token n places ahead without taking it.
func (c *cursor) peek(n int) token {
	for len(c.tokens) <= c.i+n {
		if k := len(c.tokens); k > 0 && c.tokens[k-1].kind == tokEOF {
			return c.tokens[k-1]
		}
		c.tokens = append(c.tokens, c.next())
	}
	return c.tokens[c.i+n]
}

// take returns the next token and passes it, unless it is the end.
func (c *cursor) take() token {
	t := c.peek(0)
	if t.kind != tokEOF {
		c.i++
	}
	return t
}

// skip passes n tokens, or fewer at the end.
func (c *cursor) skip(n int) {
	for range n {
		c.take()
	}
}

func (c *cursor) end() bool {
	t := c.peek(0)
	return t.kind == tokEOF || t.kind == tokPunct && c.src[t.off] == ';'
}

func (c *cursor) raw(t token) string { return c.src[t.off:t.end] }

// text returns what a token stands for: names and strings without their quotes.
func (c *cursor) text(t token) string {
	s := c.raw(t)
	switch t.kind {
	case tokIdent:
		return unquote(s, false)
	case tokString:
		return unquote(s[strings.IndexAny(s, `'"`):], c.mode&NoBackslashEscapes == 0)
	default:
		return s
	}
}

// wordAt returns the keyword n places ahead in upper case, or "".
func (c *cursor) wordAt(n int) string {
	t := c.peek(n)
	if t.kind != tokWord || t.end-t.off > 64 {
		return ""
	}
	return strings.ToUpper(c.raw(t))
}

func (c *cursor) isPunct(n int, b byte) bool {
	t := c.peek(n)
	return t.kind == tokPunct && c.src[t.off] == b
}

// accept passes the given keywords if all of them come next.
func (c *cursor) accept(words ...string) bool {
	for n, w := range words {
		if c.wordAt(n) != w {
			return false
		}
	}
	c.i += len(words)
	return true
}

// acceptAny passes the next keyword if it is one of words, and returns it.
func (c *cursor) acceptAny(words ...string) string {
	w := c.wordAt(0)
	for _, x := range words {
		if w == x {
			c.i++
			return w
		}
	}
	return ""
}

func (c *cursor) acceptPunct(b byte) bool {
	if !c.isPunct(0, b) {
		return false
	}
	c.i++
	return true
}

// ident passes a name, quoted or not, and returns it. In the place of a name, a
// string in double quotes is one too, whatever the SQL mode: dumps made for
// other servers have them.
func (c *cursor) ident() (string, error) {
	t := c.peek(0)
	switch {
	case t.kind == tokWord, t.kind == tokIdent, t.kind == tokString && c.src[t.off] == '"':
		c.i++
		return c.text(t), nil
	case t.kind == tokNumber && c.i > 0 && c.src[c.tokens[c.i-1].off] == '.': // db.123
		c.i++
		return c.raw(t), nil
	default:
		return "", syntaxError(c, "a name")
	}
}

// tableName passes a table name with or without its database.
func (c *cursor) tableName() (schema.Name, error) {
	c.acceptPunct('.') // ".t" is t of the default database
	first, err := c.ident()
	if err != nil {
		return schema.Name{}, err
	}
	if !c.acceptPunct('.') {
		return schema.Name{Schema: c.db, Table: first}, nil
	}
	second, err := c.ident()
	return schema.Name{Schema: first, Table: second}, err
}

// tableNames passes a comma-separated list.
func (c *cursor) tableNames() ([]schema.Name, error) {
	var names []schema.Name
	for {
		n, err := c.tableName()
		if err != nil {
			return names, err
		}
		names = append(names, n)
		if !c.acceptPunct(',') {
			return names, nil
		}
	}
}

// skipParens passes a balanced pair of parentheses and what is in it.
func (c *cursor) skipParens() error {
	if !c.isPunct(0, '(') {
		return syntaxError(c, "(")
	}
	depth := 0
	for {
		t := c.take()
		switch {
		case t.kind == tokEOF || t.kind == tokBad:
			return syntaxError(c, ")")
		case t.kind != tokPunct:
		case c.src[t.off] == '(':
			depth++
		case c.src[t.off] == ')':
			if depth--; depth == 0 {
				return nil
			}
		}
	}
}

// split cuts what follows at its commas outside parentheses, up to the closing
// parenthesis (passed) or, with toEnd, to the end of the statement.
func (c *cursor) split(toEnd bool) ([]*cursor, error) {
	var parts []*cursor
	start := c.i
	cut := func() {
		part := *c
		part.i = 0
		part.tokens = append(c.tokens[start:c.i:c.i], token{tokEOF, c.peek(0).off, c.peek(0).off})
		parts = append(parts, &part)
	}
	for {
		switch {
		case c.end():
			if !toEnd || c.peek(0).kind == tokBad {
				return nil, syntaxError(c, ")")
			}
			cut()
			return parts, nil
		case c.peek(0).kind == tokBad:
			return nil, syntaxError(c, "a closing quote")
		case c.isPunct(0, '('):
			if err := c.skipParens(); err != nil {
				return nil, err
			}
		case c.isPunct(0, ')') && !toEnd:
			cut()
			c.i++
			return parts, nil
		case c.isPunct(0, ','):
			cut()
			c.i++
			start = c.i
		default:
			c.i++
		}
	}
}

// binary returns the bytes of a tokHex token.
func (c *cursor) binary(t token) (string, error) {
	s := c.raw(t)
	digits := strings.Trim(s[2:], "'")
	if len(digits) > 8192 {
		return "", fmt.Errorf("a binary literal of %d digits", len(digits))
	}
	if s[0]|0x20 == 'x' || s[1] == 'x' {
		if len(digits)%2 == 1 {
			digits = "0" + digits
		}
		b, err := hex.DecodeString(digits)
		return string(b), err
	}
	var out []byte
	for n := len(digits); n > 0; n -= 8 {
		b, err := strconv.ParseUint(digits[max(0, n-8):n], 2, 8)
		if err != nil {
			return "", err
		}
		out = append([]byte{byte(b)}, out...)
	}
	return string(out), nil
}
