// Package pgtypes is PostgreSQL's column types with their special values, for
// tests of sources and targets.
package pgtypes

// Case is a type and values of it.
type Case struct {
	Name     string   // as a column is called
	Declared string   // as a column is declared
	Native   string   // as the type is declared elsewhere, where that is not Declared as PostgreSQL prints it
	Kind     string   // of schema.Type
	Values   []string // as PostgreSQL prints them, in UTC and DateStyle ISO, with lc_monetary C
	Since    int      // the first version that has it, or 0
}

// Setup makes the types that Cases use. Needed are those of them that no target
// makes by itself: extensions and ranges.
const (
	Needed = `CREATE SCHEMA app; CREATE EXTENSION hstore SCHEMA public; CREATE EXTENSION citext SCHEMA public;
CREATE TYPE app.floats AS RANGE (subtype = float8);`
	Setup = Needed + `
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'very "happy"', 'it''s', 'a,b', '');
CREATE TYPE app."Odd Name" AS (a int, "b ""c" text, m app.mood);
CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN app.more AS app.positive NOT NULL;
CREATE DOMAIN app.price AS numeric(10,2);
CREATE DOMAIN app.list AS int[];
CREATE TYPE app.nested AS (o app."Odd Name", p app.price, n numeric(6,2)[], l app.mood[], x app.floats);`
)

// Cases returns the types that a server of a version (15, 18 …) has.
func Cases(version int) []Case {
	var all []Case
	for _, group := range [][]Case{numbers, texts, times, others, networks, geometric, ranges, arrays, made} {
		for _, c := range group {
			if c.Since <= version {
				all = append(all, c)
			}
		}
	}
	return all
}

func one(name, kind string, values ...string) Case {
	return Case{Name: name, Declared: name, Kind: kind, Values: values}
}

func as(name, declared, kind string, values ...string) Case {
	return Case{Name: name, Declared: declared, Kind: kind, Values: values}
}

func (c Case) native(n string) Case { c.Native = n; return c }
func (c Case) since(v int) Case     { c.Since = v; return c }

var numbers = []Case{
	as("i2", "smallint", "int", "0", "-32768", "32767"),
	as("i4", "integer", "int", "0", "-2147483648", "2147483647"),
	as("i8", "bigint", "int", "0", "-9223372036854775808", "9223372036854775807"),
	as("dec", "numeric(10,2)", "decimal", "0.00", "-99999999.99", "12.50", "NaN"),
	as("whole", "numeric(20,0)", "decimal", "99999999999999999999", "-1", "NaN"),
	as("huge", "numeric(200,100)", "decimal", "1."+digits(100), "-"+digits(100)+"."+digits(100)),
	as("free", "numeric", "decimal", "0", "0.00", "1.0", "1.00", "-0.000000000000000000000000000001", "1"+digits(200), "NaN", "Infinity", "-Infinity"),
	as("rounded", "numeric(3,-2)", "decimal", "12300", "-99900", "0"),
	as("fraction", "numeric(2,5)", "decimal", "0.00099", "0.00000", "-0.00010"),
	as("f4", "real", "float", "0", "-0", "1.5", "0.1", "3.4028235e+38", "1e-45", "NaN", "Infinity", "-Infinity"),
	as("f8", "double precision", "double", "0", "-0", "0.1", "1.7976931348623157e+308", "5e-324", "1e+16", "NaN", "Infinity", "-Infinity"),
	one("money", "other", "$0.00", "-$92,233,720,368,547,758.08", "$1,234.50"),
	one("oid", "other", "0", "4294967295"),
	one("boolean", "bool", "t", "f"),
}

var texts = []Case{
	one("text", "text", "", " ", "it's", `back\slash`, "\t\n\r", "é😀\U0010FFFF", "NULL", "{}", `"quoted"`, "e\u0301"),
	as("varchar", "character varying", "text", "", "a "),
	as("varchar5", "character varying(5)", "varchar", "", "  a  ", "éééé😀", "12345"),
	as("char5", "character(5)", "varchar", "     ", "a    ", "éé😀ab"),
	one("bpchar", "text", "a", "a ", ""),
	as("byte", `"char"`, "other", "a", ""),
	one("name", "text", "", "a name", digits(63)),
	as("citext", "public.citext", "text", "Abc", "aBC", ""),
	one("bytea", "blob", `\x`, `\x00`, `\x00ff5c2761`, `\xdeadbeef`),
	one("uuid", "uuid", "00000000-0000-0000-0000-000000000000", "123e4567-e89b-12d3-a456-426655440000",
		"a9a7e516-6b2a-8959-2455-b8ad06581ad1"), // of which MariaDB's own type says that there is no such one
	one("json", "json", "null", `{"b": 1, "a" : 2, "b": 3}`, "1.000000000000000000000000000001", "\" \\u00e9\\n\"", "[ ]"),
	one("jsonb", "json", "null", `{"a": 2, "b": 3}`, "1.00", "12345678901234567890123", `"é\"'"`, "[]"),
	one("jsonpath", "other", `$."a"[*]?(@."b" > 1)`),
	one("xml", "other", "<a>é</a>", "text <b/> and more", `<?xml version="1.0" standalone="yes"?><a/>`),
	one("tsvector", "other", "", "'a':1A 'fat':2B,4C 'it''s':3"),
	one("tsquery", "other", "'fat' & ( 'rat' | !'cat' )", "'a':*B <-> 'b'"),
}

var times = []Case{
	one("date", "date", "2024-02-29", "0001-01-01", "9999-12-31", "10000-01-01", "5874897-12-31", "4713-01-01 BC", "0044-03-15 BC", "infinity", "-infinity"),
	as("ts", "timestamp without time zone", "datetime", "2024-02-29 23:59:59.999999", "2024-02-29 12:00:00", "2024-02-29 12:00:00.5",
		"294276-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC", "0001-12-31 23:59:59.999999 BC", "infinity", "-infinity"),
	as("ts3", "timestamp(3) without time zone", "datetime", "2024-02-29 23:59:59.999", "2024-02-29 12:00:00.5", "infinity"),
	as("ts0", "timestamp(0) without time zone", "datetime", "2024-02-29 23:59:59"),
	as("tz", "timestamp with time zone", "timestamp", "2024-02-29 23:59:59.999999+00", "1969-12-31 23:59:59+00", "2038-01-19 03:14:08+00",
		"294276-12-31 23:59:59.999999+00", "0044-03-15 12:00:00+00 BC", "infinity", "-infinity"),
	as("tz0", "timestamp(0) with time zone", "timestamp", "2024-02-29 23:59:59+00"),
	as("clock", "time without time zone", "time", "00:00:00", "23:59:59.999999", "24:00:00"),
	as("clock2", "time(2) without time zone", "time", "12:34:56.78"),
	as("zoned", "time with time zone", "other", "00:00:00+00", "23:59:59.999999-15:59", "24:00:00+15:59:59"),
	one("interval", "other", "00:00:00", "1 year 2 mons 3 days 04:05:06.789", "-1 mons +2 days -03:00:00.000001", "178000000 years", "1 day", "24:00:00"),
	one("interval hour to minute", "other", "05:06:00", "3 days 01:00:00"),
	as("interval2", "interval(2)", "other", "00:00:01.23"),
	as("unbounded", "interval", "other", "infinity", "-infinity").since(17),
}

var others = []Case{
	as("bit1", "bit(1)", "bit", "0", "1"),
	as("bit7", "bit(7)", "bit", "0000000", "1000001"),
	as("bit64", "bit(64)", "bit", "1"+zeros(63), zeros(63)+"1", zeros(64)),
	as("bit65", "bit(65)", "other", "1"+zeros(64)),
	as("varbit", "bit varying", "other", "", "0", "0001", "1"+zeros(100)),
	as("varbit3", "bit varying(3)", "other", "", "101"),
	one("pg_lsn", "other", "0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"),
	one("pg_snapshot", "other", "10:20:10,14,15"),
	one("xid8", "other", "0", "18446744073709551615"),
	one("tid", "other", "(0,1)", "(4294967295,65535)"),
	one("int2vector", "other", "", "1 2 -3"),
	one("regclass", "other", "-", "pg_class"),
	as("hstore", "public.hstore", "other", "", `"a"=>"1", "b"=>NULL, "c d"=>"\"x\""`),
}

var networks = []Case{
	one("inet", "other", "10.1.2.3", "10.1.2.3/8", "::ffff:1.2.3.4/128"[:len("::ffff:1.2.3.4")], "fe80::1/64"),
	one("cidr", "other", "10.0.0.0/8", "2001:db8::/32"),
	one("macaddr", "other", "08:00:2b:01:02:03"),
	one("macaddr8", "other", "08:00:2b:01:02:03:04:05"),
}

var geometric = []Case{
	one("point", "other", "(1,-2.5)", "(NaN,Infinity)", "(0.1,1e+300)"),
	one("line", "other", "{1,-1,0}"),
	one("lseg", "other", "[(1,2),(3,4)]"),
	one("box", "other", "(3,4),(1,2)"),
	one("path", "other", "((1,2),(3,4))", "[(1,2),(3,4)]"),
	one("polygon", "other", "((1,2),(3,4),(5,6))"),
	one("circle", "other", "<(1,2),3>"),
}

var ranges = []Case{
	one("int4range", "other", "empty", "[1,5)", "(,)", "[1,)"),
	one("int8range", "other", "[1,9223372036854775807)"),
	one("numrange", "other", "[1.0,1.00]", "(1,2]"),
	one("daterange", "other", "[2024-01-01,2024-02-01)", "[infinity,)"),
	one("tsrange", "other", `["2024-01-01 00:00:00",infinity]`, `("0044-03-15 12:00:00 BC",)`),
	one("tstzrange", "other", `["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00")`),
	one("int4multirange", "other", "{}", "{[1,3),[5,7)}", "{(,)}"),
	one("nummultirange", "other", "{[1.0,2.0),(3,4]}"),
	one("tstzmultirange", "other", `{["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00")}`),
	as("floats", "app.floats", "other", "[0.1,1e+16)", "empty"),
}

var arrays = []Case{
	as("ints", "integer[]", "other", "{}", "{1,NULL,-3}", "{{1,2},{3,4}}", "[-1:1]={1,2,3}"),
	as("lists", "text[]", "other", "{}", `{"",NULL,"NULL","a b","a,b","{}","\"q\"","\\",é}`),
	as("varchars", "character varying(5)[]", "other", `{abcde,"a b"}`),
	as("decs", "numeric(6,2)[]", "other", "{1.00,NaN,NULL}"),
	as("bools", "boolean[]", "other", "{t,f,NULL}"),
	as("bytes", "bytea[]", "other", `{"\\x00ff","\\x",NULL}`),
	as("dates", "date[]", "other", `{2024-01-01,infinity,"0044-03-15 BC"}`),
	as("moments", "timestamp with time zone[]", "other", `{"2024-01-01 00:00:00+00",infinity}`),
	as("uuids", "uuid[]", "other", "{123e4567-e89b-12d3-a456-426655440000}"),
	as("docs", "jsonb[]", "other", `{"{\"a\": [1, 2]}",NULL,"null"}`),
	as("spans", "interval[]", "other", `{"1 day",24:00:00}`),
	as("ranges", "int4range[]", "other", `{"[1,5)",empty,"(,)"}`),
	as("points", "point[]", "other", `{"(1,2)","(3,4)"}`),
	as("boxes", "box[]", "other", `{(3,4),(1,2);(5,6),(0,0)}`),
	as("stores", "public.hstore[]", "other", `{"\"a\"=>\"1\", \"b\"=>NULL",NULL}`),
}

var made = []Case{
	as("mood", "app.mood", "enum", "sad", `very "happy"`, "it's", "a,b", ""),
	as("moods", "app.mood[]", "other", `{sad,"very \"happy\"",NULL,"a,b",""}`),
	as("positive", "app.positive", "int", "1", "2147483647").native("integer"),
	as("more", "app.more", "int", "7").native("integer"),
	as("price", "app.price", "decimal", "1.50", "NaN").native("numeric(10,2)"),
	as("prices", "app.price[]", "other", "{1.50,NULL}").native("numeric(10,2)[]"),
	as("list", "app.list", "other", "{1,2}", "{}").native("integer[]"),
	as("listed", "app.list[]", "other", `{"{1,2}","{}",NULL}`).native("text[]"),
	as("composite", `app."Odd Name"`, "other", "(,,)", `(1,"a ""b"" (c), \\",sad)`, `(,"",it's)`),
	as("composites", `app."Odd Name"[]`, "other", `{"(1,x,ok)",NULL,"(,\"a,b\",)"}`),
	as("nested", "app.nested", "other", `("(1,""x y"",ok)",2.50,"{1.00,2.50}","{sad,""a,b""}","[1,2)")`, "(,,,,)"),
}

func digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '1' + byte(i%9)
	}
	return string(b)
}

func zeros(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0'
	}
	return string(b)
}
