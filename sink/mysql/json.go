package mysql

import (
	"strconv"
	"strings"
)

// inexactNumber returns the first number of a JSON text that MySQL, which reads
// every number with a fraction or beyond 64 bits as a double, would print in
// another way; "" if there is none. A number printed from a double is always
// printed the same again, one of the source's decimals need not be.
func inexactNumber(text string) string {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			i = afterString(text, i)
		case c == '-' || '0' <= c && c <= '9':
			end := i + 1
			for end < len(text) && strings.IndexByte("0123456789.eE+-", text[end]) >= 0 {
				end++
			}
			if !exactNumber(text[i:end]) {
				return text[i:end]
			}
			i = end
		default:
			i++
		}
	}
	return ""
}

func afterString(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return i
}

// exactNumber reports whether a number is an integer of 64 bits, or has exactly
// the digits of the double it is read as and none to spare.
func exactNumber(s string) bool {
	if strings.IndexAny(s, ".eE") < 0 {
		_, signed := strconv.ParseInt(s, 10, 64)
		_, unsigned := strconv.ParseUint(s, 10, 64)
		if signed == nil || unsigned == nil {
			return s != "-0"
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return false
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(strings.TrimPrefix(s, "-")), "e")
	whole, fraction, point := strings.Cut(mantissa, ".")
	switch {
	case scientific && point && strings.HasSuffix(fraction, "0"), scientific && strings.HasPrefix(exponent, "+"):
		return false
	case !scientific && !point:
		return false // an integer beyond 64 bits
	case !scientific && fraction != "0" && strings.HasSuffix(fraction, "0"):
		return false // 1.50
	}
	digits := strings.Trim(strings.TrimLeft(whole+fraction, "0"), "")
	shortest := strconv.FormatFloat(f, 'e', -1, 64)
	shortest, _, _ = strings.Cut(strings.TrimPrefix(shortest, "-"), "e")
	shortest = strings.Replace(shortest, ".", "", 1)
	return strings.TrimRight(digits, "0") == strings.TrimRight(strings.TrimLeft(shortest, "0"), "0")
}
