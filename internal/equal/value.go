package main

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// family is a column's type as it is asserted, in the target's words. Several
// that are all right stand side by side, with a bar between them. On SQLite
// every type of every source has exactly one.
type family string

// The families of SQLite.
const (
	integerFamily family = "INTEGER" // all integers, YEAR, BIT(1..63)
	realFamily    family = "REAL"    // FLOAT, DOUBLE
	textFamily    family = "TEXT"    // text, DECIMAL, ENUM, SET, JSON, dates and times, UUID, INET
	blobFamily    family = "BLOB"    // bytes, BIT(64)
)

// form is how a value that a server sent as text becomes canonical text.
type form int

const (
	noForm      form = iota
	integerForm      // the decimal digits                              -5
	realForm         // the shortest text of the exact bits             1.5e+00
	singleForm       // the same of a single                            1.1e+00
	textForm         // quoted; \ and what cannot be seen escaped       'it\x27s'
	blobForm         // bytes: hexadecimal                              x'00FF'
	hexForm          // bytes that the server sent as hexadecimal       x'00FF'
	momentForm       // a date and time, or a duration: text with six digits of fraction
	addressForm      // an IP address: text in one spelling
	networkForm      // an IP address, or that of a net: likewise
)

const null = "NULL"

// canonical writes a value that a server sent as text.
func canonical(f form, raw []byte) (string, error) {
	if raw == nil {
		return null, nil
	}
	switch f {
	case integerForm:
		return canonicalInteger(string(raw))
	case realForm, singleForm:
		bits := map[form]int{realForm: 64, singleForm: 32}[f]
		v, err := strconv.ParseFloat(string(raw), bits)
		if err != nil {
			return "", fmt.Errorf("%q is not a number: %w", raw, err)
		}
		return strconv.FormatFloat(v, 'e', -1, bits), nil
	case textForm:
		return canonicalText(raw), nil
	case blobForm:
		return canonicalBlob(raw), nil
	case hexForm:
		b, err := hex.DecodeString(string(raw))
		return canonicalBlob(b), err
	case momentForm:
		return canonicalText([]byte(withFraction(string(raw), 6))), nil
	case addressForm:
		a, err := netip.ParseAddr(string(raw))
		return canonicalText([]byte(a.String())), err
	case networkForm:
		return canonicalNetwork(string(raw))
	default:
		return "", fmt.Errorf("form %d is not known", f)
	}
}

// canonicalNetwork writes the address in one spelling and leaves the net's width,
// if there is one, as it is.
func canonicalNetwork(s string) (string, error) {
	address, width, net := strings.Cut(s, "/")
	a, err := netip.ParseAddr(address)
	text := a.String()
	if net {
		text += "/" + width
	}
	return canonicalText([]byte(text)), err
}

// withFraction writes at least so many digits after the point of a time's
// seconds. It never takes one away, and leaves alone what is no time.
func withFraction(s string, digits int) string {
	whole, fraction, found := strings.Cut(s, ".")
	if !strings.HasSuffix(strings.TrimRight(whole, "0123456789"), ":") || digits <= len(fraction) {
		return s
	}
	if !found {
		fraction = ""
	}
	return whole + "." + fraction + strings.Repeat("0", digits-len(fraction))
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
