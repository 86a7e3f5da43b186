package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/postgres"
)

const canary = "canary-7c1f"

// TestEnvironment: nothing in it changes where rows go.
func TestEnvironment(t *testing.T) {
	x := newTarget(t, nil)
	x.is("1", "SELECT 1") // the test's own session must not see what follows
	for name, value := range map[string]string{
		"PGHOST": "/nowhere", "PGPORT": "1", "PGDATABASE": "none", "PGUSER": "nobody", "PGPASSWORD": canary, "PGAPPNAME": "x", "PGCONNECT_TIMEOUT": "x",
		"PGSSLMODE": "x", "PGSSLROOTCERT": "/nowhere", "PGSSLCERTMODE": "x", "PGSSLNEGOTIATION": "x", "PGTARGETSESSIONATTRS": "x", "PGTZ": "Asia/Tokyo",
		"PGOPTIONS": "-c DateStyle=German", "PGMINPROTOCOLVERSION": "x", "PGMAXPROTOCOLVERSION": "x", "PGCHANNELBINDING": "x", "PGREQUIREAUTH": "x",
		"PGPASSFILE": "/nowhere", "PGSERVICEFILE": "/nowhere",
	} {
		t.Setenv(name, value)
	}
	x.sink = x.open(nil)
	x.is("rowferry", "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database() AND application_name <> ''")
	x.must(x.apply())
	t.Setenv("PGSERVICE", "other")
	_, err := postgres.Open(t.Context(), postgres.Options{Endpoint: endpoint(t, x.server.URL(x.name))})
	wants(t, err, rowferry.CodeBadValue, "PGSERVICE")
}

// TestRoleSettings: nor do the settings of the role, the database and the
// server change what a value means.
func TestRoleSettings(t *testing.T) {
	x := newTarget(t, nil)
	for _, set := range []string{"TimeZone = 'Asia/Tokyo'", "DateStyle = 'German, DMY'", "IntervalStyle = 'sql_standard'", "extra_float_digits = -5",
		"search_path = 'shop'", "default_transaction_isolation = 'serializable'", "statement_timeout = '1ms'", "standard_conforming_strings = off", "client_encoding = 'LATIN1'"} {
		if _, err := x.server.DB().ExecContext(t.Context(), "ALTER DATABASE "+x.name+" SET "+set); err != nil {
			t.Fatal(err)
		}
	}
	x.sink = x.open(nil)
	want := keyed("t", col("id", integer, false), col("d", schema.Type{Kind: schema.DateTime}, true), col("ts", schema.Type{Kind: schema.Timestamp}, true),
		col("i", schema.Type{Kind: schema.Time}, true), col("f", schema.Type{Kind: schema.Float64}, true), col("s", text, true))
	x.must(x.apply(shaped(want), inserted(want, i(1), txt("2026-02-03 04:05:06"), txt("2026-02-03 04:05:06"), txt("-30:00:01"), rowferry.FloatValue(0.1), txt(`日本\'`))))
	if _, err := x.server.DB().ExecContext(t.Context(), "ALTER DATABASE "+x.name+" RESET ALL"); err != nil {
		t.Fatal(err) // the test's own session reads what the sink's has written
	}
	x.is(`2026-02-03 04:05:06|t|-30:00:01|t|日本\'`, `SELECT format('%s|%s|%s|%s|%s', to_char(d, 'YYYY-MM-DD HH24:MI:SS'),
		ts = '2026-02-03 04:05:06+00'::timestamptz, '-' || to_char(-i, 'HH24:MI:SS'), f = 0.1::float8, s) FROM shop.t`)
	if _, err := x.server.DB().ExecContext(t.Context(), "ALTER DATABASE "+x.name+" SET session_replication_role = replica"); err != nil {
		t.Fatal(err)
	}
	_, err := postgres.Open(t.Context(), postgres.Options{Endpoint: endpoint(t, x.server.URL(x.name))})
	wants(t, err, rowferry.CodeTargetUnfit, "replica")
}

func TestRefusedLogins(t *testing.T) {
	server := testdb.Start(t, testdb.Postgres15)
	url := server.URL("postgres")
	for _, c := range []struct {
		name, url string
		tls       connect.TLS
		code      rowferry.Code
	}{
		{"user", strings.Replace(url, "postgres@", "missing:"+canary+"@", 1), connect.TLS{}, rowferry.CodeTargetDenied},
		{"database", strings.Replace(url, "/postgres", "/missing", 1), connect.TLS{}, rowferry.CodeTargetDenied},
		{"no TLS there", strings.Replace(url, "postgres@", "postgres:"+canary+"@", 1), connect.TLS{Mode: connect.TLSVerifyFull}, rowferry.CodeBadTLS},
		{"nobody there", "postgres://postgres:" + canary + "@127.0.0.1:1/postgres", connect.TLS{}, rowferry.CodeTargetAway},
		{"no such name", "postgres://postgres:" + canary + "@none.invalid/postgres", connect.TLS{Mode: connect.TLSDisable}, rowferry.CodeTargetAway},
	} {
		e := endpoint(t, c.url)
		e.TLS = c.tls
		_, err := postgres.Open(t.Context(), postgres.Options{Endpoint: e})
		wants(t, err, c.code)
		if strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
			t.Errorf("%s: the error tells the password: %v", c.name, err)
		}
	}
	_, err := postgres.Open(t.Context(), postgres.Options{Endpoint: endpoint(t, url), Triggers: "maybe"})
	wants(t, err, rowferry.CodeBadValue)
}

// TestLogins: TLS, SCRAM with an awkward password, and the socket.
func TestLogins(t *testing.T) {
	ca := testdb.NewAuthority(t)
	server := testdb.Start(t, testdb.Postgres15, testdb.TLS(ca.Server(t, "127.0.0.1", "localhost")))
	account := testdb.Account{User: "wr iter", Password: testdb.Awkward, Plugin: testdb.SCRAM, Require: testdb.RequireTLS}
	if err := server.CreateAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	e := endpoint(t, server.AccountURL(account, "127.0.0.1", "postgres"))
	for _, c := range []struct {
		name string
		tls  connect.TLS
		code rowferry.Code
	}{
		{"verified", connect.TLS{Mode: connect.TLSVerifyFull, CA: ca.File}, ""},
		{"wrong name", connect.TLS{Mode: connect.TLSVerifyFull, CA: ca.File, ServerName: "other.example"}, rowferry.CodeBadTLS},
		{"any name", connect.TLS{Mode: connect.TLSVerifyCA, CA: ca.File}, ""},
		{"unknown authority", connect.TLS{Mode: connect.TLSVerifyFull}, rowferry.CodeBadTLS},
		{"not encrypted", connect.TLS{Mode: connect.TLSDisable}, rowferry.CodeTargetDenied},
	} {
		e.TLS = c.tls
		s, err := postgres.Open(t.Context(), postgres.Options{Endpoint: e})
		if rowferry.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, want %q", c.name, err, c.code)
		}
		if s != nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	local := testdb.Account{User: "local", Password: testdb.Awkward, Plugin: testdb.SCRAM}
	if err := server.CreateAccount(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	s := open(t, postgres.Options{Endpoint: endpoint(t, server.SocketURL(local, "postgres"))})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestConnectionLimit: no connection left passes by itself.
func TestConnectionLimit(t *testing.T) {
	server := testdb.Start(t, testdb.Postgres15, testdb.Private(), testdb.Arg("max_connections=5"))
	var held []*postgres.Sink
	for {
		s, err := postgres.Open(t.Context(), postgres.Options{Endpoint: endpoint(t, server.URL("postgres"))})
		if err != nil {
			wants(t, err, rowferry.CodeTargetAway, "53300")
			break
		}
		held = append(held, s)
	}
	if len(held) == 0 {
		t.Fatal("there was no connection at all")
	}
	findings, err := held[0].Examine(t.Context())
	if err != nil || findings[len(findings)-1].Level != rowferry.Warning {
		t.Errorf("%+v, %v", findings, err)
	}
	for _, s := range held {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestEncoding(t *testing.T) {
	server := testdb.Start(t, testdb.Postgres15)
	if _, err := server.DB().ExecContext(t.Context(), "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = server.DB().ExecContext(context.Background(), "DROP DATABASE latin") })
	_, err := postgres.Open(t.Context(), postgres.Options{Endpoint: endpoint(t, server.URL("latin"))})
	wants(t, err, rowferry.CodeTargetUnfit, "LATIN1")
}

func TestExamine(t *testing.T) {
	x := newTarget(t, nil)
	findings, err := x.sink.Examine(t.Context())
	x.must(err)
	x.must(failure(findings))
	account := testdb.Account{User: `ex"am`, Password: "secret", Plugin: testdb.SCRAM}
	x.must(x.server.CreateAccount(t.Context(), account))
	poor := x.open(func(o *postgres.Options) { o.Endpoint = endpoint(t, x.server.AccountURL(account, "127.0.0.1", x.name)) })
	findings, err = poor.Examine(t.Context())
	x.must(err)
	var grants []string
	for _, f := range findings {
		if f.Level == rowferry.Failed {
			grants = append(grants, f.Remedies[0].Do)
		}
	}
	if got := strings.Join(grants, "\n"); !strings.Contains(got, "GRANT CREATE ON DATABASE") || !strings.Contains(got, "ON SCHEMA") || !strings.Contains(got, "UPDATE ON") {
		t.Errorf("grants %q", grants)
	}
	_, err = poor.ReadCheckpoint(t.Context(), "p")
	wants(t, err, rowferry.CodeTargetDenied, "42501")
	x.exec(grants...)
	findings, err = poor.Examine(t.Context())
	x.must(err)
	x.must(failure(findings))
	cp := x.cp
	cp.Pipeline = "poor"
	x.must(poor.WriteCheckpoint(t.Context(), nil, cp))
	x.must(poor.Prepare(t.Context(), []rowferry.Mutation{shaped(keyed("t", col("id", integer, false)))}))
	x.exec(`DROP OWNED BY "ex""am"`)
}

func TestReadOnly(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", integer, false))
	x.must(x.apply(shaped(want)))
	reader := x.open(func(o *postgres.Options) { o.ReadOnly = true })
	// A batch that is about to commit does not hold up a reader.
	tx, err := x.sink.Begin(t.Context())
	x.must(err)
	x.must(tx.Write(t.Context(), []rowferry.Mutation{inserted(want, i(1))}))
	for range 2 {
		all, err := reader.ListCheckpoints(t.Context())
		if err != nil || len(all) != 1 || all[0].Sequence != 2 {
			t.Errorf("got %+v, %v", all, err)
		}
		cp, err := reader.ReadCheckpoint(t.Context(), "p")
		if err != nil || cp.Sequence != 2 {
			t.Errorf("got %+v, %v", cp, err)
		}
		if _, err := x.sink.ReadCheckpoint(t.Context(), "p"); err == nil {
			t.Error("the session of an open batch was asked something")
		}
	}
	x.must(tx.Rollback())
	if _, err := reader.Begin(t.Context()); err == nil {
		t.Error("a read-only target took a batch")
	}
	if err := reader.WriteCheckpoint(t.Context(), nil, x.cp); err == nil {
		t.Error("a read-only target took a checkpoint")
	}
}

func TestNames(t *testing.T) {
	x := newTarget(t, nil)
	long := strings.Repeat("n", 64)
	for _, c := range []struct {
		schema, table, column string
		code                  rowferry.Code
	}{
		{"shop", long, "id", rowferry.CodeNameRefused}, {long, "t", "id", rowferry.CodeNameRefused}, {"shop", "t", long, rowferry.CodeNameRefused},
		{"shop", strings.Repeat("é", 32), "id", rowferry.CodeNameRefused}, {"pg_shop", "t", "id", rowferry.CodeNameRefused},
		{"information_schema", "t", "id", rowferry.CodeNameRefused}, {"shop", "t", "ctid", rowferry.CodeNameRefused}, {"shop", "a\x00", "id", rowferry.CodeNameRefused},
		{"rowferry", "rowferry_checkpoint", "id", rowferry.CodeNameCollision},
	} {
		bad := keyed(c.table, col(c.column, integer, false))
		bad.Name.Schema = c.schema
		err := x.apply(shaped(bad))
		wants(t, err, c.code)
		refusal(t, err)
	}
	for _, n := range []string{
		"select", "with space", `do"uble`, "sing'le", "back`tick", `back\slash`, "semi;colon", "per%cent", "do.t", "über", "日本語", "-dash", "123", "a$b", "$1", "$$",
		"UPPER", "comment --", "/* c */", "new\nline", "?", ":p", "@v", "#h", "(x)", "[y]", "{z}", "%s", strings.Repeat("n", 63), strings.Repeat("é", 31), " ", "tab\t",
	} {
		parent := keyed(n, col(n, integer, false), col("order", text, true))
		parent.Name.Schema = n
		parent.Uniques = []schema.Index{{Name: n, Columns: []int{1}, Prefix: []int{2}}}
		child := keyed("of "+n[:min(len(n), 3)], col(n, integer, false), col("up", integer, true))
		if n == "über" || strings.HasPrefix(n, "é") || n == "日本語" {
			child.Name.Table = "child"
		}
		child.Name.Schema = n
		child.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: parent.Name, Referenced: []string{n}, OnDelete: schema.Cascade}}
		x.must(x.apply(shaped(parent), shaped(child), inserted(parent, i(1), txt("a")), inserted(parent, i(2), null), inserted(child, i(1), i(2))))
		x.must(x.apply(unchecked(updated(parent, rowferry.Row{i(1), gone}, rowferry.Row{i(3), txt("b")}), deleted(child, i(1), i(2)))...))
		x.must(x.apply(shaped(parent), shaped(child), deleted(parent, i(2), null)))
		occupied, err := x.sink.Occupied(t.Context(), []schema.Name{child.Name, parent.Name})
		if err != nil || len(occupied) != 1 || occupied[0] != parent.Name {
			t.Errorf("%q: occupied %v, %v", n, occupied, err)
		}
		if q, err := x.sink.Sequences(t.Context(), []schema.Name{parent.Name}, true); err != nil || len(q) != 0 {
			t.Errorf("%q: sequences %v, %v", n, q, err)
		}
	}
}

func TestSequences(t *testing.T) {
	x := newTarget(t, nil)
	counted := keyed("counted", schema.Column{Name: "id", Type: integer, AutoIncrement: true})
	big := keyed("big", schema.Column{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}, AutoIncrement: true})
	x.must(x.apply(shaped(counted), shaped(big), inserted(counted, i(41)), inserted(counted, i(-5)), inserted(big, rowferry.UintValue(1))))
	x.exec("CREATE TABLE shop.own (id serial PRIMARY KEY, n integer GENERATED ALWAYS AS IDENTITY (INCREMENT BY 10))", "INSERT INTO shop.own DEFAULT VALUES", "INSERT INTO shop.own DEFAULT VALUES",
		"SELECT setval('shop.own_id_seq', 100)")
	names := []schema.Name{counted.Name, big.Name, {Schema: "shop", Table: "own"}, {Schema: "shop", Table: "missing"}}
	for round, want := range []string{
		"[{shop.counted id 41 1} {shop.big id 1 1} {shop.own id 2 101} {shop.own n 11 21}]",
		"[{shop.counted id 41 1} {shop.big id 1 1} {shop.own id 2 101} {shop.own n 11 21}]",
		"[{shop.counted id 41 42} {shop.big id 1 2} {shop.own id 2 101} {shop.own n 11 21}]",
	} {
		got, err := x.sink.Sequences(t.Context(), names, round > 0)
		if fmt.Sprint(got) != want || err != nil {
			t.Errorf("round %d: got %v, %v\nwant %s", round, got, err, want)
		}
	}
	x.exec("INSERT INTO shop.counted DEFAULT VALUES", "INSERT INTO shop.big DEFAULT VALUES", "INSERT INTO shop.own DEFAULT VALUES")
	x.is("42", "SELECT max(id) FROM shop.counted")
	x.is("101", "SELECT max(id) FROM shop.own")
}

// TestStatementsAreBounded: partial images of changing columns do not pile up
// on the server.
func TestStatementsAreBounded(t *testing.T) {
	x := newTarget(t, nil)
	columns := []schema.Column{col("id", integer, false)}
	for n := range 10 {
		columns = append(columns, col(fmt.Sprintf("c%d", n), integer, true))
	}
	want := keyed("t", columns...)
	row := make(rowferry.Row, len(columns))
	for k := range row {
		row[k] = i(0)
	}
	x.must(x.apply(shaped(want), inserted(want, row...)))
	var ms []rowferry.Mutation
	for set := range 1 << 10 {
		after := make(rowferry.Row, len(columns))
		for k := range 10 {
			if set>>k&1 == 1 {
				after[k+1] = i(int64(set))
			}
		}
		ms = append(ms, updated(want, rowferry.Row{i(0), gone, gone, gone, gone, gone, gone, gone, gone, gone, gone}, after))
	}
	x.must(x.apply(ms...))
	x.is("1023 1023", "SELECT c0 || ' ' || c9 FROM shop.t")
	x.must(x.apply(ms...))
	findings, err := x.sink.Examine(t.Context()) // in the same session
	x.must(err)
	x.must(failure(findings))
	if n := postgres.Prepared(t, x.sink); n > sqlsink.MaxStatements+50 { // and those of no table
		t.Errorf("%d statements are prepared at the server", n)
	}
}
