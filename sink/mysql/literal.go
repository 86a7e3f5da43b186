package mysql

import (
	"encoding/hex"
	"fmt"
	"strconv"
)

// speller puts a statement's values into its SQL: of one the like of which is
// hardly seen again, since to prepare it would cost more than to run it. Texts
// and bytes stand there as hexadecimal digits, so nothing in them is SQL.
type speller struct {
	sql  string // whose parameters are question marks outside of names
	at   int    // what is behind here is not in out yet
	out  []byte
	name bool // at is inside `…`
	lack int  // values for which there was no parameter
}

// next copies the SQL up to the next parameter, and reports whether there is one.
func (s *speller) next() bool {
	for i := s.at; i < len(s.sql); i++ {
		switch c := s.sql[i]; {
		case c == '?' && !s.name:
			s.out = append(s.out, s.sql[s.at:i]...)
			s.at = i + 1
			return true
		case c == '`': // twice inside a name: it ends and begins again
			s.name = !s.name
		}
	}
	s.out = append(s.out, s.sql[s.at:]...)
	s.at = len(s.sql)
	return false
}

func (s *speller) give(literal func()) {
	if s.next() {
		literal()
	} else {
		s.lack++
	}
}

// Null gives the next value.
func (s *speller) Null() { s.give(func() { s.out = append(s.out, "NULL"...) }) }

// Int gives the next value.
func (s *speller) Int(v int64) { s.give(func() { s.out = strconv.AppendInt(s.out, v, 10) }) }

// Uint gives the next value.
func (s *speller) Uint(v uint64) { s.give(func() { s.out = strconv.AppendUint(s.out, v, 10) }) }

// Float gives the next value. With an exponent it is a double and no decimal.
func (s *speller) Float(v float64) {
	s.give(func() { s.out = strconv.AppendFloat(s.out, v, 'e', -1, 64) })
}

// Text gives the next value.
func (s *speller) Text(v string) {
	s.give(func() { s.out = append(s.out, "_utf8mb4 "...); s.digits(v) })
}

// Bytes gives the next value.
func (s *speller) Bytes(v string) { s.give(func() { s.digits(v) }) }

func (s *speller) digits(v string) {
	s.out = append(hex.AppendEncode(append(s.out, "x'"...), []byte(v)), '\'')
}

// finish returns the SQL with all values in it.
func (s *speller) finish() (string, error) {
	if s.lack > 0 || s.next() {
		return "", fmt.Errorf("a statement was given other values than it has parameters: %s", s.sql)
	}
	return string(s.out), nil
}
