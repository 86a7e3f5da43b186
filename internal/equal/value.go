package main

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// family is a column type of the SQLite target; every type of every source has
// exactly one.
type family string

const (
	integerFamily family = "INTEGER" // all integers, YEAR, BIT(1..63)
	realFamily    family = "REAL"    // FLOAT, DOUBLE
	textFamily    family = "TEXT"    // text, DECIMAL, ENUM, SET, JSON, dates and times, UUID, INET
	blobFamily    family = "BLOB"    // bytes, BIT(64)
)

const null = "NULL"

// canonical writes a value that a server sent as text.
//
//	INTEGER  the decimal digits                    -5
//	REAL     the shortest text of the exact bits   1.5e+00
//	TEXT     quoted; \ and what cannot be seen escaped   'it\x27s'
//	BLOB     hexadecimal                           x'00FF'
func canonical(f family, raw []byte) (string, error) {
	switch {
	case raw == nil:
		return null, nil
	case f == integerFamily:
		return canonicalInteger(string(raw))
	case f == realFamily:
		v, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return "", fmt.Errorf("%q is not a number: %w", raw, err)
		}
		return canonicalReal(v), nil
	case f == textFamily:
		return canonicalText(raw), nil
	case f == blobFamily:
		return canonicalBlob(raw), nil
	}
	return "", fmt.Errorf("unknown family %q", f)
}

// canonicalInteger asserts that the text is the one way to write its number:
// no leading zeros, no sign of plus, no fraction.
func canonicalInteger(s string) (string, error) {
	digits := strings.TrimPrefix(s, "-")
	if s == "0" {
		return s, nil
	}
	if digits == "" || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return "", fmt.Errorf("%q is not an integer in its shortest form", s)
	}
	return s, nil
}

func canonicalReal(v float64) string { return strconv.FormatFloat(v, 'e', -1, 64) }

func canonicalBlob(raw []byte) string {
	return "x'" + strings.ToUpper(hex.EncodeToString(raw)) + "'"
}

// canonicalText escapes what would end the text or the line, and bytes that are
// not UTF-8; all else stands as it is.
func canonicalText(raw []byte) string {
	var b strings.Builder
	b.Grow(len(raw) + 2)
	b.WriteByte('\'')
	for i := 0; i < len(raw); {
		c := raw[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f || c == '\'' || c == '\\' {
				fmt.Fprintf(&b, `\x%02X`, c)
			} else {
				b.WriteByte(c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02X`, c)
		} else {
			b.Write(raw[i : i+size])
		}
		i += size
	}
	b.WriteByte('\'')
	return b.String()
}

// canonicalName writes the name of a table or column.
func canonicalName(s string) string { return canonicalText([]byte(s)) }
