package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Row is a row of an answer in text format. It is valid until the callback
// that was given it returns.
type Row [][]byte

// Null reports whether column i is NULL.
func (r Row) Null(i int) bool { return r[i] == nil }

// Text returns column i; NULL is "".
func (r Row) Text(i int) string { return string(r[i]) }

// Bool returns column i of type boolean; NULL is false.
func (r Row) Bool(i int) bool { return len(r[i]) == 1 && r[i][0] == 't' }

// Int returns column i of an integer type, as which it must have been selected.
func (r Row) Int(i int) (int64, error) { return strconv.ParseInt(string(r[i]), 10, 64) }

// Ints returns column i, an int2vector or an array of integers without NULL
// cast to text: "1 2" or "{1,2}".
func (r Row) Ints(i int) ([]int, error) {
	words := strings.FieldsFunc(string(r[i]), func(c rune) bool { return c == ' ' || c == ',' || c == '{' || c == '}' })
	numbers := make([]int, len(words))
	for k, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil {
			return nil, fmt.Errorf("a catalog column is %q, which is no list of numbers", r[i])
		}
		numbers[k] = n
	}
	return numbers, nil
}

// Names returns column i, a JSON array of texts; NULL is none.
func (r Row) Names(i int) (names []string, err error) {
	if r[i] == nil {
		return nil, nil
	}
	err = json.Unmarshal(r[i], &names)
	return names, err
}

// Query runs one statement and calls fn for each of its rows; fn's error is
// returned once the answer has been read. Arguments are string, int64, uint32
// (an oid) or nil and travel as parameters.
func Query(ctx context.Context, conn *pgconn.PgConn, sql string, fn func(Row) error, args ...any) error {
	values, err := encode(sql, args)
	if err != nil {
		return err
	}
	answer := conn.ExecParams(ctx, sql, values, nil, nil, nil)
	for answer.NextRow() {
		if err == nil {
			err = fn(answer.Values())
		}
	}
	if _, cerr := answer.Close(); cerr != nil {
		return cerr
	}
	return err
}

// Exec runs one statement, drops its rows and returns its command tag.
func Exec(ctx context.Context, conn *pgconn.PgConn, sql string, args ...any) (pgconn.CommandTag, error) {
	values, err := encode(sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	return conn.ExecParams(ctx, sql, values, nil, nil, nil).Close()
}

func encode(sql string, args []any) ([][]byte, error) {
	values := make([][]byte, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case nil:
		case string:
			values[i] = []byte(v)
		case int64:
			values[i] = strconv.AppendInt(nil, v, 10)
		case uint32:
			values[i] = strconv.AppendUint(nil, uint64(v), 10)
		default:
			return nil, fmt.Errorf("argument %d of %q has type %T", i+1, sql, a)
		}
	}
	return values, nil
}
