package mysql

import (
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// TestLiveShapes begins where the log tells no shapes: the server does, with
// keys, as far as its tables were not altered since.
func TestLiveShapes(t *testing.T) {
	for _, k := range liveKinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, testdb.Private(), testdb.RowMetadata("MINIMAL"))
			must(t, inSession(t.Context(), s, `
CREATE DATABASE shop CHARACTER SET latin1;
USE shop;
CREATE TABLE parent (id INT UNSIGNED PRIMARY KEY, code CHAR(3) CHARACTER SET utf8mb4, UNIQUE KEY by_code (code));
CREATE TABLE child (id BIGINT PRIMARY KEY AUTO_INCREMENT, parent INT UNSIGNED, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE);
CREATE TABLE altered (id INT PRIMARY KEY, was INT);
CREATE TABLE renamed (id INT PRIMARY KEY);
CREATE TABLE dropped (id INT PRIMARY KEY);
CREATE VIEW v AS SELECT * FROM parent;
CREATE TABLE `+"`od``d 'name' \"ß\"`"+` (`+"`a``b`"+` INT PRIMARY KEY, v ENUM('x''y','ß'));
FLUSH BINARY LOGS`))
			for {
				must(t, s.Exec(t.Context(), "PURGE BINARY LOGS TO 'mysql-bin.000002'"))
				if files, err := s.BinlogFiles(); err != nil || len(files) == 1 {
					must(t, err)
					break
				}
			}
			src := Live(LiveOptions{Endpoint: endpoint(t, s, "root"), From: "latest"})
			begin := newConsumer(t, src)
			must(t, begin.open())
			from := string(begin.at.Position)
			must(t, inSession(t.Context(), s, `
USE shop;
INSERT INTO parent VALUES (4000000000,'ä');
INSERT INTO child VALUES (1, 4000000000);
INSERT INTO `+"`od``d 'name' \"ß\"`"+` VALUES (1,'ß');
CREATE TABLE late (id INT PRIMARY KEY, v VARCHAR(10));
INSERT INTO late VALUES (1,'ß');
CREATE DATABASE IF NOT EXISTS test;
`+markTable+`;
INSERT INTO test.mark VALUES ('unaltered');
ALTER TABLE altered ADD v INT;
RENAME TABLE renamed TO other;
DROP TABLE dropped`))
			begin.until(marks("unaltered"))
			begin.close()
			var names []string
			for n := range begin.shapes {
				names = append(names, n.Table)
			}
			slices.Sort(names)
			if got, want := strings.Join(names, ", "), "altered, child, dropped, late, mark, od`d 'name' \"ß\", parent, renamed"; got != want {
				t.Errorf("told are %s, want %s", got, want)
			}
			child := begin.shapes[schema.Name{Schema: "shop", Table: "child"}]
			if child == nil || !child.ConstraintsKnown || len(child.ForeignKeys) != 1 || child.PrimaryKey == nil {
				t.Errorf("child is %+v", child)
			}
			if late := begin.shapes[schema.Name{Schema: "shop", Table: "late"}]; late == nil || late.Columns[1].Type.Charset != "latin1" {
				t.Errorf("late is %+v", late)
			}

			// Begun there afterwards: what was altered since is not known.
			again := newConsumer(t, Live(LiveOptions{Endpoint: endpoint(t, s, "root"), From: from}))
			must(t, again.open())
			again.until(marks("unaltered"))
			again.close()
			for _, table := range []string{"altered", "renamed", "dropped", "other"} {
				if x := again.shapes[schema.Name{Schema: "shop", Table: table}]; x != nil {
					t.Errorf("%s was altered after the start and is told as %+v", table, x)
				}
			}
			if a, b := text(begin.txs), text(again.txs); a != b {
				t.Error(firstDifference(a, b))
			}

			// And its rows before are refused by name.
			reader := newConsumer(t, src)
			must(t, reader.open())
			from = string(reader.at.Position)
			reader.close()
			must(t, s.Exec(t.Context(), "INSERT INTO shop.altered VALUES (1,2,3)", "ALTER TABLE shop.altered DROP COLUMN was"))
			res := readFrom(Live(LiveOptions{Endpoint: endpoint(t, s, "root"), From: from, Once: true}), rowferry.Start{})
			if rowferry.CodeOf(res.err) != rowferry.CodeShapeUnknown {
				t.Errorf("rows of a table altered since: %v", res.err)
			}
		})
	}
}
