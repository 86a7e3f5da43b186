package postgres_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// TestBinaryForms: what is appended for a value's text is what the server's own
// send function writes for it.
func TestBinaryForms(t *testing.T) {
	const pairs = "SELECT v::text, encode(%s_send(v), 'hex') FROM (%s) x(v)"
	forms := []struct {
		typ, values string
		append      func([]byte, string) ([]byte, bool)
		print       func(dst, b []byte) ([]byte, bool)
		least       int
	}{
		// All days of 400 years and a bit, and some of all there are.
		{"date", "SELECT date '1599-12-01' + n FROM generate_series(0, 146500) n", dialect.AppendDate, dialect.DateText, 146_000},
		{"date", "SELECT date '4713-01-01 BC' + n FROM generate_series(0, 2147000000::bigint, 83777) m(b), LATERAL (SELECT b::int) i(n)", dialect.AppendDate, dialect.DateText, 25_000},
		{"date", "SELECT date '0003-12-25 BC' + n FROM generate_series(0, 3000) n UNION ALL VALUES (date 'infinity'), ('-infinity'), ('5874897-12-31'), ('4714-11-24 BC')", dialect.AppendDate, dialect.DateText, 3004},
		{"timestamp", "SELECT timestamp '4713-01-01 BC' + n * interval '261.137946 days' FROM generate_series(0, 400000) n", dialect.AppendTimestamp, dialect.TimestampText, 400_000},
		{"timestamp", "VALUES (timestamp 'infinity'), ('-infinity'), ('294276-12-31 23:59:59.999999'), ('4714-11-24 00:00:00 BC'), ('2000-01-01'), ('1999-12-31 23:59:59.999999'), ('0001-12-31 23:59:59.5 BC')", dialect.AppendTimestamp, dialect.TimestampText, 7},
		{"time", "SELECT time '00:00' + n * interval '1.000731 s' FROM generate_series(0, 86000) n UNION ALL VALUES (time '24:00'), ('23:59:59.999999'), ('00:00:00.1')", dialect.AppendTime, dialect.TimeText, 86_000},
		{"uuid", "SELECT md5(n::text)::uuid FROM generate_series(1, 1000) n", dialect.AppendUUID, dialect.UUIDText, 1000},
	}
	on(t, func(t *testing.T, conn *pgconn.PgConn, _ int) {
		for _, f := range forms {
			n := 0
			err := dialect.Query(t.Context(), conn, fmt.Sprintf(pairs, f.typ, f.values), func(r dialect.Row) error {
				n++
				return errors.Join(formed(f.append, r.Text(0), r.Text(1)), said(f.print, r.Text(1), r.Text(0)))
			})
			if err != nil || n < f.least {
				t.Errorf("%s: %d values, %v", f.typ, n, err)
			}
		}
	})
}

// formed wants the form of a text to be the bytes.
func formed(form func([]byte, string) ([]byte, bool), text, want string) error {
	const before = "kept"
	got, ok := form([]byte(before), text)
	if digits := hex.EncodeToString(got[len(before):]); !ok || digits != want || string(got[:len(before)]) != before {
		return fmt.Errorf("%.100s is %.100s (%t), want %.100s", text, digits, ok, want)
	}
	return nil
}

// said wants the text of some bytes to be what the server prints.
func said(text func(dst, b []byte) ([]byte, bool), digits, want string) error {
	const before = "kept"
	b, err := hex.DecodeString(digits)
	if err != nil {
		return err
	}
	if got, ok := text([]byte(before), b); !ok || string(got) != before+want {
		return fmt.Errorf("%.100s is %.100s (%t), want %.100s", digits, got, ok, want)
	}
	for i := range b { // nor is there one of fewer bytes
		if got, ok := text(nil, b[:i]); ok {
			return fmt.Errorf("%.100s, cut, is %.100s", digits, got)
		}
	}
	return nil
}

// TestBinaryNumerics is TestBinaryForms of numerics of every length, written with
// zeros where nobody needs them.
func TestBinaryNumerics(t *testing.T) {
	const seed = 20260101
	random := rand.New(rand.NewPCG(seed, 0))
	digits := func(most int) string {
		b := make([]byte, random.IntN(most+1))
		zeros := random.IntN(3) == 0
		for i := range b {
			if b[i] = '0' + byte(random.IntN(10)); zeros && random.IntN(4) > 0 {
				b[i] = '0'
			}
		}
		return string(b)
	}
	all := []string{"0", "-0", "0.0", "-0.00", "00000", "0000.0000", "1", "10000", "-100000000", "0.0001", "0.00001", "1.0000", "9999.9999", "-10000.00010000",
		"0." + strings.Repeat("0", 16382) + "1", "1" + strings.Repeat("0", 131071), strings.Repeat("9", 131072) + "." + strings.Repeat("9", 16383), "NaN"}
	for range 20_000 {
		most := []int{3, 9, 40, 300}[random.IntN(4)]
		s := "0" + digits(most)
		if f := digits(most); f != "" {
			s += "." + f
		}
		if random.IntN(2) == 0 {
			s = "-" + s
		}
		all = append(all, s)
	}
	on(t, func(t *testing.T, conn *pgconn.PgConn, _ int) {
		n := 0
		err := dialect.Query(t.Context(), conn, "SELECT v, encode(numeric_send(v::numeric), 'hex'), v::numeric FROM unnest($1::text[]) v", func(r dialect.Row) error {
			n++
			return errors.Join(formed(dialect.AppendNumeric, r.Text(0), r.Text(1)), said(dialect.NumericText, r.Text(1), r.Text(2)))
		}, "{"+strings.Join(all, ",")+"}")
		if err != nil || n != len(all) {
			t.Errorf("%d of %d, seed %d: %v", n, len(all), seed, err)
		}
	})
}

// TestNoBinaryForm: of what the server does not print there is no form, even where
// it knows what is meant or would refuse it.
func TestNoBinaryForm(t *testing.T) {
	for _, c := range []struct {
		append func([]byte, string) ([]byte, bool)
		texts  []string
	}{
		{dialect.AppendNumeric, []string{"", "-", ".", "1.", ".5", "+1", "--1", "1e5", " 1", "1 ", "0x10", "1_000", "nan", "inf", "1.2.3", "1.-2",
			"0." + strings.Repeat("1", 16384), "1" + strings.Repeat("0", 131072)}},
		{dialect.AppendDate, []string{"", "today", "2025-02-29", "2100-02-29", "2024-13-01", "2024-00-10", "2024-01-00", "2024-1-1", "0000-01-01", "2024-01-01 ", "2024/01/01",
			"20240101", "2024-01-01 AD", "-2024-01-01", "0005-02-29 BC BC", "12345678-01-01", "2024-01-0x"}},
		{dialect.AppendTime, []string{"", "1:00:00", "24:00:01", "24:00:00.000001", "25:00:00", "12:60:00", "12:00:60", "12:00", "12:00:00.", "12:00:00.1234567", "12:00:00,5", "12:00:00+00", "-1:00:00"}},
		{dialect.AppendTimestamp, []string{"", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01 24:00:00", "2024-01-01 12:00:60", "2024-01-01 12:00:00+00", "2023-02-29 00:00:00",
			"2024-01-01  12:00:00", "5874897-12-31 00:00:00", "now", "9999999-01-01 00:00:00"}},
		{dialect.AppendUUID, []string{"", "123e4567e89b12d3a456426655440000", "{123e4567-e89b-12d3-a456-42665544000}", "123e4567-e89b-12d3-a456-42665544000g", "123e4567-e89b-12d3-a456+426655440000"}},
	} {
		for _, s := range c.texts {
			if got, ok := c.append(nil, s); ok {
				t.Errorf("%.40q has the form %.40x", s, got)
			}
		}
	}
}
