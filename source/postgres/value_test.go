package postgres

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/pgtypes"
	"github.com/rowferry/rowferry/schema"
)

// TestCarryServer: every type's values, as a server prints them in a session of
// ours, are carried as they are, and the server prints them as the corpus has
// them though the database's own settings are others.
func TestCarryServer(t *testing.T) {
	kinds := []testdb.Kind{testdb.Postgres15}
	if testdb.Soak() {
		kinds = append(kinds, testdb.PostgresNew)
	}
	for _, k := range kinds {
		t.Run(string(k), func(t *testing.T) {
			server := testdb.Start(t, k)
			name, db := testdb.NewDatabase(t, server)
			for setting, value := range map[string]string{"DateStyle": "'SQL, DMY'", "bytea_output": "'escape'", "IntervalStyle": "'sql_standard'",
				"extra_float_digits": "-3", "TimeZone": "'Asia/Kathmandu'", "lc_monetary": "'C.UTF-8'", "search_path": "'app, public'", "xmloption": "'document'"} {
				if _, err := db.Exec("ALTER DATABASE " + server.Quote(name) + " SET " + setting + " = " + value); err != nil {
					t.Fatal(err)
				}
			}
			e, err := connect.Parse(server.URL(name))
			if err != nil {
				t.Fatal(err)
			}
			conn, err := dialect.Connect(t.Context(), e, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			version, _ := strconv.Atoi(conn.ParameterStatus("server_version")[:2])
			if _, err := conn.Exec(t.Context(), pgtypes.Setup).ReadAll(); err != nil {
				t.Fatal(err)
			}
			for _, c := range pgtypes.Cases(version) {
				for _, want := range c.Values {
					var oid, mod int64
					var text []byte
					// A table, since a cast of an expression has no modifier.
					err := dialect.Query(t.Context(), conn, "CREATE TABLE app.t (v "+c.Declared+")", nil)
					if err == nil {
						_, err = dialect.Exec(t.Context(), conn, "INSERT INTO app.t VALUES ("+dialect.Literal(want)+")")
					}
					if err == nil {
						err = dialect.Query(t.Context(), conn, "SELECT atttypid, atttypmod, v FROM pg_attribute, app.t WHERE attrelid = 'app.t'::regclass AND attnum = 1", func(r dialect.Row) error {
							oid, _ = r.Int(0)
							mod, err = r.Int(1)
							text = []byte(r.Text(2))
							return err
						})
					}
					if _, derr := dialect.Exec(t.Context(), conn, "DROP TABLE IF EXISTS app.t"); derr != nil {
						t.Fatal(derr)
					}
					if err != nil {
						t.Errorf("%s %q: %v", c.Declared, want, err)
						continue
					}
					if string(text) != want {
						t.Errorf("%s %q is printed as %q", c.Declared, want, text)
					}
					typ, err := dialect.SourceType(t.Context(), conn, uint32(oid), int(mod))
					if err != nil {
						t.Fatal(err)
					}
					v, problem := carry(&typ, text)
					if problem != nil {
						t.Errorf("%s %q: %v", c.Declared, want, problem)
					} else if got := printed(typ, v); got != want {
						t.Errorf("%s %q is carried as %s (%d), which is %q", c.Declared, want, v, v.Kind(), got)
					}
				}
			}
		})
	}
}

// printed returns a value as PostgreSQL prints it.
func printed(t schema.Type, v rowferry.Value) string {
	switch {
	case t.Kind == schema.Bool && v.Kind() == rowferry.Int:
		return map[int64]string{0: "f", 1: "t"}[v.Int()]
	case t.Kind == schema.Int && v.Kind() == rowferry.Int:
		return strconv.FormatInt(v.Int(), 10)
	case v.Kind() == rowferry.Float:
		return printedFloat(v.Float(), map[schema.Kind]int{schema.Float32: 32, schema.Float64: 64}[t.Kind])
	case t.Kind == schema.Bit && v.Kind() == rowferry.Uint:
		s := strconv.FormatUint(v.Uint(), 2)
		return strings.Repeat("0", t.Length-len(s)) + s
	case t.Kind == schema.Blob && v.Kind() == rowferry.Bytes:
		return `\x` + strings.ToLower(strings.TrimPrefix(v.String(), "0x"))
	case v.Kind() != rowferry.Text:
		return "carried in another way"
	case t.Kind == schema.Timestamp && !strings.HasSuffix(v.Str(), "infinity"):
		if s, ok := strings.CutSuffix(v.Str(), " BC"); ok {
			return s + "+00 BC"
		}
		return v.Str() + "+00"
	default:
		return v.Str()
	}
}

func printedFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.Abs(f) >= 1e15 || f != 0 && math.Abs(f) < 1e-4:
		return strconv.FormatFloat(f, 'e', -1, bits)
	default:
		return strconv.FormatFloat(f, 'f', -1, bits)
	}
}

var kinds = map[string]schema.Type{
	"smallint": {Kind: schema.Int, Bits: 16}, "bigint": {Kind: schema.Int, Bits: 64}, "bool": {Kind: schema.Bool},
	"real": {Kind: schema.Float32}, "double": {Kind: schema.Float64}, "bit": {Kind: schema.Bit, Length: 3}, "bytea": {Kind: schema.Blob},
	"numeric": {Kind: schema.Decimal}, "text": {Kind: schema.Text}, "varchar": {Kind: schema.VarChar, Length: 3}, "enum": {Kind: schema.Enum},
	"json": {Kind: schema.JSON}, "other": {Kind: schema.Other}, "uuid": {Kind: schema.UUID}, "date": {Kind: schema.Date},
	"timestamp": {Kind: schema.DateTime, Fsp: 6}, "timestamptz": {Kind: schema.Timestamp, Fsp: 6}, "time": {Kind: schema.Time, Fsp: 6},
}

// TestCarryRefuses: text that is no value of the type stops.
func TestCarryRefuses(t *testing.T) {
	for name, texts := range map[string][]string{
		"smallint": {"", "-", "+1", "01", "1 ", "32768", "-32769", "0x1", "1_0", "--1", "-0"}, "bigint": {"9223372036854775808", "1e3"},
		"bool": {"", "true", "1", "T", "tt"}, "real": {"", "inf", "nan", "0x1p3", "1_0", "1e39", "+Inf", "Inf", "-"}, "double": {"1e999", " 1"},
		"bit": {"", "01", "0101", "012"}, "bytea": {"", `\x0`, `\xzz`, "x00", `\X00`, `\`}, "numeric": {"", "-", ".", "1.", ".5", "1e3", "nan", "--1", "1.2.3", "+Infinity"},
		"text": {"\xff", "a\x00"}, "varchar": {"\xc0\x80"}, "enum": {"\xff"}, "json": {"\xed\xa0\x80"}, "other": {"\xff"},
		"uuid": {"", "123E4567-e89b-12d3-a456-426655440000", "123e4567e89b12d3a456426655440000", "123e4567-e89b-12d3-a456-42665544000g"},
		"date": {"", "0000-01-01", "2023-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "24-01-01", "2024-01-01 AD", "20240101", "99999999-01-01", "Infinity",
			"1900-02-29", "0004-02-29 BC", "2024-1-01", "-001-01-01", "2024-01-01 BC BC"},
		"timestamp": {"", "2024-01-01", "2024-01-01 24:00:00", "2024-01-01 00:60:00", "2024-01-01 00:00:00.", "2024-01-01 00:00:00.1234567", "2024-01-01T00:00:00",
			"2024-01-01 00:00:00+00", "2024-01-01 0:00:00"},
		"timestamptz": {"2024-01-01 00:00:00", "2024-01-01 00:00:00+01", "2024-01-01 00:00:00+00:30", "+00", "infinity+00"},
		"time":        {"", "24:00:01", "25:00:00", "24:00:00.0", "00:00:60", "-01:00:00", "00:00", "00:00:00+00"},
	} {
		typ := kinds[name]
		for _, s := range texts {
			if v, err := carry(&typ, []byte(s)); err == nil || err.Code != rowferry.CodeCorruptLog || !v.IsAbsent() {
				t.Errorf("%s %q is carried as %q, %v", name, s, v, err)
			}
		}
	}
	if _, err := carry(&schema.Type{Kind: schema.Set}, nil); rowferry.CodeOf(err) != rowferry.CodeInternal {
		t.Errorf("a type of another source: %v", err)
	}
}

// TestCarryAllocates: what is carried as text lies in the text's memory.
func TestCarryAllocates(t *testing.T) {
	for name, s := range map[string]string{"bigint": "-9223372036854775808", "text": "a text", "numeric": "12.50", "timestamptz": "2024-02-29 12:00:00.5+00", "double": "0.1", "uuid": "123e4567-e89b-12d3-a456-426655440000"} {
		typ, text := kinds[name], []byte(s)
		if n := testing.AllocsPerRun(100, func() { _, _ = carry(&typ, text) }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// FuzzCarry: any text is a value or an error, and what is carried is printed as
// it came.
func FuzzCarry(f *testing.F) {
	for name := range kinds {
		for _, s := range []string{"0", "t", "2024-02-29", "0044-03-15 12:00:00.5+00 BC", "24:00:00", `\x00ff`, "101", "-Infinity", "1e-45", "é", "\xff"} {
			f.Add(name, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		typ, ok := kinds[name]
		if !ok {
			return
		}
		was := string(text)
		v, err := carry(&typ, text)
		switch {
		case string(text) != was:
			t.Fatalf("%s %q was changed", name, was)
		case err != nil:
			if err.Code != rowferry.CodeCorruptLog {
				t.Fatal(err)
			}
		case v.Kind() == rowferry.Text && !utf8.ValidString(v.Str()):
			t.Fatalf("%s %q is carried as %q", name, was, v.Str())
		case v.Kind() != rowferry.Float && printed(typ, v) != strings.ToLower(was) && printed(typ, v) != was:
			t.Fatalf("%s %q is carried as %s", name, was, v)
		}
	})
}
