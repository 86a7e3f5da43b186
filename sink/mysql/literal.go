package mysql

import (
	"encoding/hex"
	"fmt"
	"strconv"
)

// spelled returns a statement with its parameters in it, for one of which the
// like is hardly seen again: to prepare it would cost more than to run it. Texts
// and bytes stand there as hexadecimal digits, so nothing in them is SQL.
func (t *target) spelled(st *statement, args []any) (string, error) {
	columns := append(append(make([]int, 0, len(args)), st.set...), st.match...)
	if len(columns) != len(args) {
		return "", fmt.Errorf("a statement for %d values was given %d: %s", len(columns), len(args), st.sql)
	}
	out := make([]byte, 0, 2*len(st.sql))
	given, name := 0, false // name: inside `…`
	for i := range len(st.sql) {
		switch c := st.sql[i]; {
		case c == '?' && !name:
			if given == len(args) {
				return "", fmt.Errorf("a statement has more parameters than columns: %s", st.sql)
			}
			var err error
			if out, err = appendLiteral(out, args[given], t.columns[columns[given]].carry); err != nil {
				return "", err
			}
			given++
		case c == '`': // twice inside a name: it ends and begins again
			name = !name
			fallthrough
		default:
			out = append(out, c)
		}
	}
	if given < len(args) {
		return "", fmt.Errorf("a statement has %d parameters for %d values: %s", given, len(args), st.sql)
	}
	return string(out), nil
}

func appendLiteral(dst []byte, arg any, as carrier) ([]byte, error) {
	switch v := arg.(type) {
	case nil:
		return append(dst, "NULL"...), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case float64: // with an exponent it is a double and no decimal
		return strconv.AppendFloat(dst, v, 'e', -1, 64), nil
	case string:
		if as == carryText {
			dst = append(dst, "_utf8mb4 "...)
		}
		return append(hex.AppendEncode(append(dst, "x'"...), []byte(v)), '\''), nil
	default:
		return nil, fmt.Errorf("a parameter of type %T has no literal", arg)
	}
}
