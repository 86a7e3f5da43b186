package mysql

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rowferry/rowferry/internal/testdb"
)

var update = flag.Bool("update", false, "write charsets/ again from what the servers say")

// serverCode is one code of a character set as a server sees it.
type serverCode struct {
	code string // the bytes
	text string // in Unicode; "" where the server knows none
}

// codeRange is a range of codes of one width, asked for in one query.
type codeRange struct{ first, last, width int }

// codeRanges lists what a character set can hold: all codes of one and two
// bytes, of three where 0x8f begins them, and gb18030's of four.
func codeRanges(charset string) []codeRange {
	switch charset {
	case "ucs2", "utf16", "utf16le":
		return []codeRange{{0, 0xffff, 2}}
	case "utf32":
		return []codeRange{{0, 0x2ffff, 4}, {0x10ff00, 0x110010, 4}}
	case "utf8mb3", "utf8mb4":
		return nil // are what the others are compared with
	}
	ranges := []codeRange{{0, 0xff, 1}}
	if n := maxLen(charset); n >= 2 {
		ranges = append(ranges, codeRange{0x8000, 0xffff, 2})
		if n == 3 {
			ranges = append(ranges, codeRange{0x8f8080, 0x8fffff, 3})
		}
	}
	return ranges
}

// askCodes asks the server about every code of a range, in order. Codes that
// it does not store as they are (they are invalid) have no text.
func askCodes(t *testing.T, c *sql.Conn, k testdb.Kind, charset string, r codeRange) []serverCode {
	t.Helper()
	numbers := fmt.Sprintf("(SELECT seq AS n FROM seq_%d_to_%d)", r.first, r.last)
	if k.Flavor() == testdb.MySQL {
		numbers = fmt.Sprintf("(WITH RECURSIVE s AS (SELECT %d AS n UNION ALL SELECT n+1 FROM s WHERE n<%d) SELECT n FROM s)", r.first, r.last)
	}
	code := fmt.Sprintf("UNHEX(LPAD(HEX(n),%d,'0'))", 2*r.width)
	if r.width == 4 && charset == "gb18030" {
		code = "UNHEX(CONCAT(HEX(129 + n DIV 12600), HEX(48 + n DIV 1260 % 10), HEX(129 + n DIV 10 % 126), HEX(48 + n % 10)))"
	}
	unicode := slices.Contains([]string{"ucs2", "utf16", "utf16le", "utf32"}, charset)
	return queryCodes(t, c, unicode, fmt.Sprintf(
		"SELECT h, CONVERT(CONVERT(h USING %s) USING utf8mb4), CAST(CONVERT(h USING %s) AS BINARY) FROM (SELECT n, %s AS h FROM %s AS a) AS b ORDER BY n",
		charset, charset, code, numbers))
}

func queryCodes(t *testing.T, c *sql.Conn, unicode bool, query string) []serverCode {
	t.Helper()
	rows, err := c.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var codes []serverCode
	for rows.Next() {
		var code, text, stored []byte
		if err := rows.Scan(&code, &text, &stored); err != nil {
			t.Fatal(err)
		}
		sc := serverCode{code: string(code)}
		// Where the server knows no character it says "?", or in a few tables
		// U+FFFD; only the Unicode sets have that as a character.
		known := bytes.Count(text, []byte("?")) <= bytes.Count(code, []byte("?")) &&
			(unicode || !bytes.ContainsRune(text, utf8.RuneError))
		if bytes.Equal(stored, code) && known && utf8.Valid(text) {
			sc.text = string(text)
		}
		codes = append(codes, sc)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return codes
}

func charsetConn(t *testing.T, k testdb.Kind) (*sql.Conn, []string) {
	t.Helper()
	ctx := context.Background()
	_, db := testdb.NewDatabase(t, testdb.Start(t, k, testdb.RowMetadata("FULL")))
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if k.Flavor() == testdb.MySQL {
		if _, err := c.ExecContext(ctx, "SET cte_max_recursion_depth=10000000"); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := c.QueryContext(ctx, "SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME<>'binary' ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		names = append(names, n)
	}
	return c, names
}

// TestCharsetsAgainstServers compares every code of every character set with
// what each server says it is: the same text, or refused here where the server
// has no character for it.
func TestCharsetsAgainstServers(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011} {
		t.Run(string(k), func(t *testing.T) {
			c, names := charsetConn(t, k)
			for _, name := range names {
				var codes []serverCode
				for _, r := range codeRanges(name) {
					codes = append(codes, askCodes(t, c, k, name, r)...)
				}
				if name == "gb18030" {
					codes = append(codes, askCodes(t, c, k, name, codeRange{0, gb18030Plane - 1, 4})...)
					codes = append(codes, askCodes(t, c, k, name, codeRange{gb18030Upper - 5, gb18030Upper + 500, 4})...)
					codes = append(codes, askCodes(t, c, k, name, codeRange{gb18030Upper + 0xffff0, gb18030Upper + 0x100010, 4})...)
				}
				if *update { // the next run has them and compares
					if k == testdb.MySQL97 {
						writeCharset(t, name, codes)
					}
					continue
				}
				compareCodes(t, name, codes)
			}
		})
	}
}

func compareCodes(t *testing.T, name string, codes []serverCode) {
	t.Helper()
	cs := findCharset(name)
	if cs == nil {
		t.Errorf("%s: no decoder", name)
		return
	}
	wrong := 0
	for _, sc := range codes {
		got, bad := cs.appendUTF8(nil, []byte(sc.code))
		want := sc.text
		if bad < 0 == (want == "") || bad < 0 && string(got) != want {
			if wrong++; wrong < 10 {
				t.Errorf("%s %x: decoded as %q, refused at %d; the server says %q", name, sc.code, got, bad, want)
			}
		}
		if cs.verbatim(sc.code) && sc.text != sc.code {
			t.Errorf("%s %x: verbatim, but the server says %q", name, sc.code, sc.text)
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d of %d codes wrong", name, wrong, len(codes))
	}
}

// writeCharset writes a table in the form that readTable reads.
func writeCharset(t *testing.T, name string, codes []serverCode) {
	t.Helper()
	if slices.Contains([]string{"utf8mb3", "utf8mb4", "ucs2", "utf16", "utf16le", "utf32"}, name) {
		return
	}
	var text, run strings.Builder
	var single [256]bool
	next, first := "", ""
	flush := func() {
		if run.Len() > 0 {
			fmt.Fprintf(&text, "%s %s\n", first, strconv.Quote(run.String()))
		}
		run.Reset()
	}
	for _, sc := range codes {
		r, n := utf8.DecodeRuneInString(sc.text)
		if n == 0 || n != len(sc.text) || r == 0 || len(sc.code) > 1 && single[sc.code[0]] {
			continue // no character, several, NUL, or a character and a byte
		}
		if len(sc.code) == 1 {
			single[sc.code[0]] = true
		}
		code := hex.EncodeToString([]byte(sc.code))
		if len(sc.code) == 4 {
			i := gb18030Index([]byte(sc.code))
			if i >= gb18030Plane {
				continue
			}
			code = fmt.Sprintf("%08x", i)
		}
		if code != next {
			flush()
			first = code
		}
		run.WriteRune(r)
		v, err := strconv.ParseUint(code, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		next = fmt.Sprintf("%0*x", len(code), v+1)
	}
	flush()
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write([]byte(text.String())); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("charsets/"+name+".gz", packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
