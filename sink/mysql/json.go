package mysql

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// decimals reports whether the mutation writes a JSON document with a number
// that has to be written as DECIMAL.
func (t *target) decimals(m *rowferry.Mutation) bool {
	for o := range t.columns {
		if t.hasDecimals(m, o) {
			return true
		}
	}
	return false
}

func (t *target) hasDecimals(m *rowferry.Mutation, o int) bool {
	return t.columns[o].have.Kind == schema.JSON && o < len(m.After) && t.Writes(m, o) &&
		m.After[o].Kind() == rowferry.Text && inexactNumber(m.After[o].Str()) != ""
}

// withDecimals returns a statement of one use that writes m: MySQL's JSON can
// hold a DECIMAL, but none can be written as text. Each such number is put into
// its place in the document as one.
func (b *batch) withDecimals(t *target, m *rowferry.Mutation) (*statement, error) {
	written, besides := map[int]string{}, map[int][]string{}
	for o := range t.columns {
		if !t.hasDecimals(m, o) {
			continue
		}
		expression, more, err := jsonExpression(m.After[o].Str())
		if err != nil {
			return nil, t.About(rowferry.Errorf(rowferry.CodeOutOfRange, "a JSON document has a number that MySQL would keep as another: %w", err), m).
				Fact("column", "%s", t.Shape.Columns[o].Name)
		}
		written[o], besides[o] = expression, more
	}
	st := t.compose(m, 1, written)
	st.besides = besides
	return st, nil
}

// jsonExpression returns an expression for a document, and its parameters after
// the first, which is the document's text.
func jsonExpression(text string) (expression string, args []string, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var b strings.Builder
	b.WriteString("JSON_REPLACE(CAST(? AS JSON)")
	err = eachNumber(d, "$", func(path, number string) error {
		if exactNumber(number) {
			return nil
		}
		whole, fraction, _ := strings.Cut(strings.TrimPrefix(number, "-"), ".")
		digits := len(strings.TrimLeft(whole, "0")) + len(fraction)
		if strings.ContainsAny(number, "eE") || digits > 65 || len(fraction) > 30 || number == "-0" {
			return fmt.Errorf("%s", sqlsink.Shorten(number))
		}
		fmt.Fprintf(&b, ", ?, CAST(? AS DECIMAL(%d,%d))", max(digits, len(fraction), 1), len(fraction))
		args = append(args, path, number)
		return nil
	})
	b.WriteString(")")
	return b.String(), args, err
}

// eachNumber calls fn with every number of a document and its path, as
// JSON_REPLACE takes it (https://dev.mysql.com/doc/refman/9.7/en/json.html#json-path-syntax).
func eachNumber(d *json.Decoder, path string, fn func(path, number string) error) error {
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Number:
		return fn(path, v.String())
	case json.Delim:
		for i := 0; d.More(); i++ {
			leg := fmt.Sprintf("[%d]", i)
			if v == '{' {
				key, err := d.Token()
				if err != nil {
					return err
				}
				if leg, err = keyLeg(key); err != nil {
					return err
				}
			}
			if err := eachNumber(d, path+leg, fn); err != nil {
				return err
			}
		}
		_, err := d.Token() // the end of it
		return err
	default: // texts, true, false and null
		return nil
	}
}

func keyLeg(key json.Token) (string, error) {
	name, ok := key.(string)
	if !ok || strings.ContainsRune(name, utf8.RuneError) {
		return "", fmt.Errorf("under a key that cannot be named: %v", key)
	}
	quoted, err := json.Marshal(name)
	return "." + string(quoted), err
}

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
	if !strings.ContainsAny(s, ".eE") {
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
