package mysqlwire

import (
	"context"
	"fmt"
)

// Exec runs a statement without parameters and returns how many rows it found.
// All that is queued is answered before it, else it fails with ErrEarlier.
func (c *Conn) Exec(ctx context.Context, sql string) (int64, error) {
	return c.rows(ctx, func() error {
		c.text(comQuery, sql)
		return nil
	}, false, nil)
}

// Query calls fn for each row of a query, with a function that reads its
// columns, see Scan. An error of fn is returned when the other rows were read.
// fn may not use the connection.
func (c *Conn) Query(ctx context.Context, sql string, fn func(scan func(...any) error) error, args ...any) error {
	if len(args) == 0 {
		_, err := c.rows(ctx, func() error {
			c.text(comQuery, sql)
			return nil
		}, false, scanning(fn))
		return err
	}
	st, err := c.Prepare(ctx, sql)
	if err != nil {
		return err
	}
	defer st.Close()
	c.Begin(st)
	for i, a := range args {
		if err := c.Arg(a); err != nil {
			return fmt.Errorf("parameter %d: %w", i+1, err)
		}
	}
	return c.Rows(ctx, fn)
}

// Rows runs the execution that Begin began and calls fn for each row, as Query
// does.
func (c *Conn) Rows(ctx context.Context, fn func(scan func(...any) error) error) error {
	if err := c.open.complete(); err != nil {
		return err
	}
	_, err := c.rows(ctx, c.execute, true, scanning(fn))
	c.open.reset(nil)
	return err
}

// Each calls fn for each row of a query without parameters, with its values as
// the server writes them: text, of which nil is NULL, in the character set that
// the session asks for. They are valid until fn returns. An error of fn is
// returned when the other rows were read. fn may not use the connection.
func (c *Conn) Each(ctx context.Context, sql string, fn func(row [][]byte) error) error {
	var raw [][]byte
	_, err := c.rows(ctx, func() error {
		c.text(comQuery, sql)
		return nil
	}, false, func(row []value) error {
		raw = raw[:0]
		for _, v := range row {
			raw = append(raw, v)
		}
		return fn(raw)
	})
	return err
}

func (c *Conn) rows(ctx context.Context, put func() error, binaryRows bool, row func([]value) error) (int64, error) {
	var a answer
	err := c.aside(ctx, put, func() (err error) {
		a, err = readAnswer(&c.in, c.parts, binaryRows, row)
		return err
	})
	if err != nil {
		return 0, err
	}
	return a.result()
}

// scanning returns what gives rows to fn. Destinations are pointers to string,
// int, int64, uint64, bool and []byte, or have the method Scan of sql.Scanner,
// which is given strings and nil; others take no NULL.
func scanning(fn func(scan func(...any) error) error) func([]value) error {
	return func(row []value) error {
		return fn(func(into ...any) error { return scan(row, into) })
	}
}
