package mysql

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// refusal is a log that has to be refused, or not, by what is in scope. Each
// has a file of its own on one server.
type refusal struct {
	name string
	sql  string
	code rowferry.Code // where database "r" is in scope; "" is none
	// elsewhere is the code where only another database is in scope.
	elsewhere rowferry.Code
	flavor    testdb.Flavor // "" is both
}

// made is a table to alter.
const made = "CREATE TABLE r.made (id INT PRIMARY KEY, a INT, b INT, c INT, g INT AS (c*2) STORED, e ENUM('a','b'), x TEXT, f FLOAT(6,2)) CHARSET=utf8mb4;\nINSERT INTO r.made (id,a,b) VALUES (1,10,20)"

const refuseSetup = `
CREATE DATABASE r;
CREATE TABLE r.t (id INT PRIMARY KEY, j JSON);
INSERT INTO r.t VALUES (1,'{"a":"a long enough text that a difference is shorter","b":1}');
CREATE TABLE r.unknown (id INT PRIMARY KEY, a INT);
CREATE TABLE r.part (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO r.part VALUES (1),(11)`

var refusals = []refusal{
	{name: "statement", sql: "SET SESSION binlog_format=STATEMENT;\nINSERT INTO r.t VALUES (2,'{}');\nSET SESSION binlog_format=ROW", code: rowferry.CodeStatementLog},
	{name: "statement by default database", sql: "USE r;\nSET SESSION binlog_format=STATEMENT;\nUPDATE t SET j='[]' WHERE id=2;\nSET SESSION binlog_format=ROW", code: rowferry.CodeStatementLog},
	{name: "load", sql: "SELECT 3,'{}' INTO OUTFILE '$TMP/load.txt';\nSET SESSION binlog_format=STATEMENT;\nLOAD DATA INFILE '$TMP/load.txt' INTO TABLE r.t;\nSET SESSION binlog_format=ROW", code: rowferry.CodeStatementLog},
	{name: "partial JSON", sql: "SET SESSION binlog_row_value_options=PARTIAL_JSON;\nUPDATE r.t SET j=JSON_SET(j,'$.b',2) WHERE id=1;\nSET SESSION binlog_row_value_options=''", code: rowferry.CodePartialJSON, flavor: testdb.MySQL},
	{name: "xa", sql: "XA START 'x';\nINSERT INTO r.t VALUES (4,'{}');\nXA END 'x';\nXA PREPARE 'x';\nXA ROLLBACK 'x'", code: rowferry.CodeXA},
	{name: "rename", sql: "RENAME TABLE r.t TO r.u, r.u TO r.t", code: rowferry.CodeShapeChanged},
	{name: "partition", sql: "ALTER TABLE r.part TRUNCATE PARTITION p0", code: rowferry.CodeShapeChanged},
	{name: "sequence", sql: "CREATE SEQUENCE r.s;\nSELECT NEXTVAL(r.s)", code: rowferry.CodeTypeRefused, flavor: testdb.MariaDB},
	{name: "unreadable", sql: "/* later made unreadable */ CREATE TABLE r.later (id INT)", code: rowferry.CodeBadStatement},
	{name: "columns swapped", sql: made + ";\nALTER TABLE r.made RENAME COLUMN a TO b, RENAME COLUMN b TO a;\nDROP TABLE r.made", code: rowferry.CodeShapeChanged},
	{name: "columns changed into each other", sql: made + ";\nALTER TABLE r.made CHANGE a b INT, CHANGE b a INT;\nDROP TABLE r.made", code: rowferry.CodeShapeChanged},
	{name: "column dropped and added", sql: made + ";\nALTER TABLE r.made DROP COLUMN a, ADD COLUMN a INT DEFAULT 7;\nDROP TABLE r.made", code: rowferry.CodeShapeChanged},
	{name: "key renumbered", sql: made + ";\nALTER TABLE r.made DROP PRIMARY KEY, DROP COLUMN id, ADD COLUMN id INT AUTO_INCREMENT PRIMARY KEY FIRST;\nDROP TABLE r.made", code: rowferry.CodeShapeChanged},
	{name: "expression", sql: made + ";\nALTER TABLE r.made MODIFY g INT AS (c*3) STORED;\nDROP TABLE r.made", code: rowferry.CodeShapeChanged},
	{name: "generated", sql: made + ";\nALTER TABLE r.made MODIFY g INT;\nDROP TABLE r.made", code: rowferry.CodeShapeChanged},
	{name: "numbered", sql: made + ";\nALTER TABLE r.made MODIFY id INT AUTO_INCREMENT;\nDROP TABLE r.made", code: rowferry.CodeShapeChanged},
	{name: "cut", sql: made + ";\nSET SESSION sql_mode='';\nALTER TABLE r.made MODIFY x TINYTEXT;\nSET SESSION sql_mode=DEFAULT;\nDROP TABLE r.made", code: rowferry.CodeShapeChanged},
	{name: "rounded", sql: made + ";\nALTER TABLE r.made MODIFY f FLOAT(5,1);\nDROP TABLE r.made", code: rowferry.CodeShapeChanged},
	{name: "duplicates ignored", sql: made + ";\nALTER IGNORE TABLE r.made ADD UNIQUE (a);\nDROP TABLE r.made", code: rowferry.CodeShapeChanged, flavor: testdb.MariaDB},
	{name: "alterations that rewrite nothing", sql: made + ";\nALTER TABLE r.made ADD INDEX (a), COMMENT='c', AUTO_INCREMENT=9;\nALTER TABLE r.made ENGINE=InnoDB;\n" +
		"ALTER TABLE r.made ORDER BY a;\nALTER TABLE r.made MODIFY g INT AS (c*2) STORED COMMENT 'c', MODIFY e ENUM('a','b','c'), MODIFY x TEXT COMMENT 'c', MODIFY f FLOAT(7,2);\n" +
		"ALTER TABLE r.made MODIFY x TINYTEXT;\nCREATE INDEX i ON r.made (b);\nDROP INDEX i ON r.made", code: ""},
	{name: "keys of an unknown table", sql: "ALTER TABLE r.unknown ADD FOREIGN KEY (a) REFERENCES r.t (id) ON DELETE CASCADE", code: rowferry.CodeShapeUnknown},
	{name: "unique key of an unknown table", sql: "CREATE UNIQUE INDEX u ON r.unknown (a)", code: rowferry.CodeShapeUnknown},
	{name: "unknown table altered", sql: "ALTER TABLE r.unknown ADD INDEX (a), COMMENT='c';\nDROP INDEX a ON r.unknown", code: ""},
	{name: "nothing", sql: "INSERT INTO r.t VALUES (5,'{}');\nDELETE FROM r.t WHERE id=5", code: ""},
}

func TestRefusals(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			log, cases := recordRefusals(t, k)
			for i, c := range cases {
				one := log[i+1 : i+2]
				if c.name == "unreadable" {
					one = one.with(0, bytes.Clone(one[0].data))
					e := find(t, one[0].data, replication.QUERY_EVENT)
					one[0].data = resum(one[0].data, e, func(b []byte) {
						copy(b[bytes.Index(b, []byte("(id INT)")):], "(id !!!)")
					})
				}
				for scope, code := range map[string]rowferry.Code{"r": c.code, "elsewhere": c.elsewhere} {
					got := one.read(Options{Dump: dumpOfR(t), Scope: func(n schema.Name) bool { return n.Schema == scope }})
					if rowferry.CodeOf(got.err) != code {
						t.Errorf("%s with %s in scope: %v, want %q", c.name, scope, got.err, code)
						continue
					}
					if code != "" && !strings.Contains(got.err.Error(), "at: mysql-bin.") {
						t.Errorf("%s: the error does not say where: %v", c.name, got.err)
					}
				}
			}
		})
	}
}

// recordRefusals writes a file with the setup and one for each case.
func recordRefusals(t *testing.T, k testdb.Kind) (logFiles, []refusal) {
	t.Helper()
	ctx := context.Background()
	s, err := testdb.Launch(ctx, k)
	must(t, err)
	defer s.Close()
	must(t, s.ResetBinlog(ctx))
	conn, err := s.DB().Conn(ctx)
	must(t, err)
	var tmp string
	must(t, conn.QueryRowContext(ctx, "SELECT @@secure_file_priv").Scan(&tmp))
	cases := slices.DeleteFunc(slices.Clone(refusals), func(c refusal) bool { return c.flavor != "" && c.flavor != k.Flavor() })
	script := refuseSetup
	for _, c := range cases {
		script += ";\nFLUSH BINARY LOGS;\n" + strings.ReplaceAll(c.sql, "$TMP", strings.TrimSuffix(tmp, "/"))
	}
	for q := range strings.SplitSeq(script, ";\n") {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			t.Fatalf("%s: %s: %v", k, q, err)
		}
	}
	must(t, conn.Close())
	must(t, s.Stop())
	paths, err := s.BinlogFiles()
	must(t, err)
	var log logFiles
	for _, p := range paths {
		b, err := os.ReadFile(p)
		must(t, err)
		log = append(log, content{filepath.Base(p), b})
	}
	return log, cases
}

func dumpOfR(t testing.TB) string {
	p := filepath.Join(t.TempDir(), "r.sql")
	must(t, os.WriteFile(p, []byte("USE `r`;\nCREATE TABLE `t` (`id` int NOT NULL, `j` json DEFAULT NULL, PRIMARY KEY (`id`));\n"+
		"CREATE TABLE `part` (`id` int NOT NULL, PRIMARY KEY (`id`));\n"), 0o600))
	return p
}

// What the server would not write, made of what it wrote.
func TestForged(t *testing.T) {
	mysql, maria, anonymous := recorded(t, "mysql"), recorded(t, "mariadb"), recorded(t, "mysql anonymous")
	forge := func(log logFiles, change func(b []byte), types ...replication.EventType) logFiles {
		return log.with(0, resum(log[0].data, find(t, log[0].data, types...), change))
	}
	typ := func(x replication.EventType) func([]byte) { return func(b []byte) { b[4] = byte(x) } }
	write := []replication.EventType{replication.WRITE_ROWS_EVENTv1, replication.WRITE_ROWS_EVENTv2}
	for name, c := range map[string]struct {
		log  logFiles
		code rowferry.Code
	}{
		"unknown event":                {forge(mysql, typ(99), replication.XID_EVENT), rowferry.CodeUnknownEvent},
		"unknown MariaDB event":        {forge(maria, typ(175), replication.XID_EVENT), rowferry.CodeUnknownEvent},
		"event that may be left":       {forge(mysql, func(b []byte) { b[4], b[17] = 99, 0x80 }, replication.PREVIOUS_GTIDS_EVENT), ""},
		"rows of a preview":            {forge(mysql, typ(replication.WRITE_ROWS_EVENTv0), write...), rowferry.CodeUnknownEvent},
		"incident":                     {forge(mysql, typ(replication.INCIDENT_EVENT), replication.XID_EVENT), rowferry.CodeIncident},
		"old load":                     {forge(mysql, typ(replication.LOAD_EVENT), replication.XID_EVENT), rowferry.CodeStatementLog},
		"encryption":                   {forge(maria, typ(replication.MARIADB_START_ENCRYPTION_EVENT), replication.MARIADB_GTID_LIST_EVENT), rowferry.CodeEncryptedLog},
		"no table map":                 {forge(mysql, func(b []byte) { b[headerSize]++ }, write...), rowferry.CodeCorruptLog},
		"MariaDB, no table map":        {forge(maria, func(b []byte) { b[headerSize]++ }, write...), rowferry.CodeCorruptLog},
		"table map of the file before": {mysql.with(2, resum(mysql[2].data, find(t, mysql[2].data, replication.TABLE_MAP_EVENT), typ(replication.IGNORABLE_EVENT))), rowferry.CodeCorruptLog},
		"anonymous amid GTIDs":         {forge(mysql, typ(replication.ANONYMOUS_GTID_EVENT), replication.GTID_EVENT), rowferry.CodeMixedGTID},
		"GTID amid anonymous":          {forge(anonymous, func(b []byte) { b[4], b[headerSize+17] = byte(replication.GTID_EVENT), 1 }, replication.ANONYMOUS_GTID_EVENT), rowferry.CodeMixedGTID},
		"GTID number 0":                {forge(mysql, func(b []byte) { clear(b[headerSize+17 : headerSize+25]) }, replication.GTID_EVENT), rowferry.CodeCorruptLog},
		"commit of nothing":            {forge(mysql, typ(replication.XID_EVENT), replication.PREVIOUS_GTIDS_EVENT), rowferry.CodeCorruptLog},
		"end lost":                     {forge(mysql, func(b []byte) { b[4], b[17] = 99, 0x80 }, replication.XID_EVENT), rowferry.CodeCorruptLog},
		"version 3":                    {forge(mysql, func(b []byte) { b[headerSize] = 3 }, replication.FORMAT_DESCRIPTION_EVENT), rowferry.CodeCorruptLog},
		"not described first":          {forge(mysql, typ(replication.STOP_EVENT), replication.FORMAT_DESCRIPTION_EVENT), rowferry.CodeCorruptLog},
		"not a binlog":                 {mysql.with(0, []byte("#!/bin/sh\n")), rowferry.CodeNotABinlog},
		"an index":                     {mysql.with(2, []byte("./mysql-bin.000001\n")), rowferry.CodeNotABinlog},
		"empty":                        {mysql.with(0, nil), rowferry.CodeTruncatedLog},
		"empty and alone":              {mysql[:1].with(0, nil), rowferry.CodeCorruptLog},
		"encrypted by MySQL":           {mysql.with(0, slices.Concat(magicEncrypted, mysql[0].data[4:])), rowferry.CodeEncryptedLog},
	} {
		opt := Options{Scope: notOther}
		if name == "an index" {
			opt.From = mysql[0].name + ":4"
		}
		if got := c.log.read(opt); rowferry.CodeOf(got.err) != c.code || c.code == "" && got.err != nil {
			t.Errorf("%s: %v, want %q", name, got.err, c.code)
		}
	}
}

// An event may say that it is larger than anything can be.
func TestTooLarge(t *testing.T) {
	log := recorded(t, "mysql")
	src := log.source(Options{Scope: notOther})
	src.maxEvent = 500
	if got := readFrom(src, rowferry.Start{}); rowferry.CodeOf(got.err) != rowferry.CodeEventTooLarge {
		t.Errorf("an event of more than 500 bytes: %v", got.err)
	}
	packed := recorded(t, "mysql compressed").source(Options{Scope: notOther})
	packed.maxEvent = 500
	if got := readFrom(packed, rowferry.Start{}); got.err == nil {
		t.Error("an event of more than 500 bytes in a compressed transaction is read")
	}
}

// Foreign keys that cascade: the log of a newer MySQL has what they do, and the
// target must not do it again; otherwise the target has to.
func TestCascades(t *testing.T) {
	const sql = `
CREATE DATABASE d;
USE d;
CREATE TABLE p (id INT PRIMARY KEY, v INT);
CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE n (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES c (id) ON DELETE SET NULL);
INSERT INTO p VALUES (1,1),(2,2),(3,3);
INSERT INTO c VALUES (10,1),(11,2);
INSERT INTO n VALUES (100,10);
UPDATE p SET v=20 WHERE id=2;
UPDATE p SET id=20 WHERE id=2;
DELETE FROM p WHERE id=1`
	for name, c := range map[string]struct {
		kind   testdb.Kind
		opts   []testdb.Option
		action schema.Action
		rows   int // logged by the last two statements
		code   rowferry.Code
		read   int // transactions
	}{
		"MySQL":             {testdb.MySQL97, nil, schema.NoAction, 5, "", 10},
		"MySQL, compressed": {testdb.MySQL97, []testdb.Option{testdb.Compressed()}, schema.NoAction, 5, "", 10},
		"MySQL, by engine":  {testdb.MySQL97, []testdb.Option{testdb.Arg("innodb_native_foreign_keys=ON")}, schema.NoAction, 0, rowferry.CodeCascades, 8},
		"MariaDB":           {testdb.MariaDB1011, nil, schema.Cascade, 2, "", 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := record(t, c.kind, sql, c.opts...).read(Options{})
			if rowferry.CodeOf(got.err) != c.code || len(got.txs) != c.read {
				t.Fatalf("%d transactions, %v; want %d, %q", len(got.txs), got.err, c.read, c.code)
			}
			for _, tx := range got.txs {
				for _, ch := range tx.Changes {
					if ch.Op == rowferry.Shape && ch.Table.Name.Table == "c" {
						if f := ch.Table.ForeignKeys[0]; f.OnDelete != c.action || f.OnUpdate != c.action {
							t.Errorf("the child is announced with %q and %q, want %q", f.OnDelete, f.OnUpdate, c.action)
						}
					}
				}
			}
			rows := 0
			for _, tx := range got.txs[min(8, len(got.txs)):] {
				rows += len(tx.Changes)
			}
			if rows != c.rows {
				t.Errorf("%d rows in the last two statements, want %d", rows, c.rows)
			}
		})
	}
}

// A file larger than 4 GiB: the events' own 32-bit positions have wrapped.
func TestLargeFile(t *testing.T) {
	log := recorded(t, "mysql full") // without checksums
	data := log[2].data
	first := find(t, data, replication.GTID_EVENT)
	filler := make([]byte, headerSize)
	filler[4] = byte(replication.IGNORABLE_EVENT)
	const each, count = 1 << 30, 5
	binary.LittleEndian.PutUint32(filler[9:], each)
	hole := &holeFile{before: data[:first.start], event: filler, each: each, count: count, after: data[first.start:]}
	src := log[2:].source(Options{Scope: notOther})
	src.open = func(context.Context, string) (logBytes, error) { return hole.open(), nil }
	at := filePosition(log[2].name, uint64(first.start)+each*count)
	src.opt.From, src.opt.Dump = at, dumpFile(t)
	got := readFrom(src, rowferry.Start{})
	if got.err != nil || len(got.txs) != 1 {
		t.Fatalf("from %s: %d transactions, %v", at, len(got.txs), got.err)
	}
	want := log[2:].read(Options{Scope: notOther, Dump: dumpFile(t)})
	p, err := ParsePosition(want.txs[0].Log)
	must(t, err)
	if end := filePosition(log[2].name, p.Offset+each*count); got.txs[0].Log != end || got.txs[0].Position != want.txs[0].Position {
		t.Errorf("the transaction ends at %s (%s), want %s (%s)", got.txs[0].Log, got.txs[0].Position, end, want.txs[0].Position)
	}
}

// An XA transaction that was prepared before reading begins: its rows would be
// lost if it was in scope.
func TestPreparedBefore(t *testing.T) {
	const sql = `
CREATE DATABASE r;
CREATE DATABASE other;
CREATE TABLE r.t (id INT PRIMARY KEY);
CREATE TABLE other.x (id INT PRIMARY KEY);
XA START 'a';
INSERT INTO r.t VALUES (1);
XA END 'a';
XA PREPARE 'a';
FLUSH BINARY LOGS;
XA COMMIT 'a';
INSERT INTO other.x VALUES (1)`
	t.Parallel()
	log := record(t, testdb.MySQL97, sql)
	after := log[1].name + ":4"
	for _, c := range []struct {
		log   logFiles
		scope string
		from  string
		code  rowferry.Code
	}{
		{log, "r", "", rowferry.CodeXA},
		{log, "r", after, rowferry.CodeXA},
		{log[1:], "r", "", rowferry.CodeXA},
		{log[1:], "other", "", rowferry.CodeXA},
		{log, "other", "", ""},
		{log, "other", after, ""},
	} {
		got := c.log.read(Options{From: c.from, Scope: func(n schema.Name) bool { return n.Schema == c.scope }})
		if rowferry.CodeOf(got.err) != c.code || c.code == "" && got.err != nil {
			t.Errorf("%d files from %q with %s in scope: %v, want %q", len(c.log), c.from, c.scope, got.err, c.code)
		}
	}
}
