package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/types"
	"github.com/rowferry/rowferry/schema"
)

// loggedEvent is a rows event of a real log, ready to be decoded.
type loggedEvent struct {
	tm     *replication.TableMapEvent // as this package reads it
	theirs *replication.TableMapEvent // as the library does
	hdr    *replication.RowsEvent
	rows   []byte
	data   []byte // of the whole event, as the library takes it
	head   int    // of its header
	srv    server
}

// readLog visits the rows events of one database in a server's log.
func readLog(t *testing.T, s *testdb.Server, database string, visit func(loggedEvent)) {
	t.Helper()
	// The library fails the checksum of a file that is being written, whose
	// first event has a flag that the checksum does not cover.
	if err := s.Rotate(context.Background()); err != nil {
		t.Fatal(err)
	}
	files, err := s.BinlogFiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files[:len(files)-1] {
		p := replication.NewBinlogParser()
		p.SetFlavor(string(s.Kind.Flavor()))
		p.SetVerifyChecksum(true)
		p.SetTimestampStringLocation(time.UTC)
		var ev loggedEvent
		p.SetRowsEventDecodeFunc(func(e *replication.RowsEvent, data []byte) error {
			n, err := e.DecodeHeader(data)
			ev.hdr, ev.data, ev.head, ev.rows = e, data, n, data[n:]
			return err
		})
		maps := map[uint64]*replication.TableMapEvent{}
		err := p.ParseFile(file, 4, func(e *replication.BinlogEvent) error {
			switch body := e.Event.(type) {
			case *replication.FormatDescriptionEvent:
				ev.srv = parseServer(body.ServerVersion)
			case *replication.TableMapEvent:
				tm, err := parseTableMap(e.RawData[replication.EventHeaderSize:len(e.RawData)-replication.BinlogChecksumLength], 6)
				if err != nil {
					return err
				}
				maps[tm.TableID] = tm
			case *replication.RowsEvent:
				if string(body.Table.Schema) != database {
					return nil
				}
				ev.tm, ev.theirs = maps[body.TableID], body.Table
				switch e.Header.EventType {
				case replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1, replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1,
					replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1:
					if ev.rows, err = inflateRows(ev.rows, 1<<30); err != nil {
						return err
					}
				}
				visit(ev)
			case *replication.TransactionPayloadEvent:
				t.Fatal("compressed transactions are the reader's part")
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
}

// model is what a log's changes make of a table: each row with how often it is
// there.
type model struct {
	shape *schema.Table
	rows  map[string]int
}

func rowKey(r rowferry.Row) string {
	parts := make([]string, len(r))
	for i, v := range r {
		parts[i] = valueText(v)
	}
	return strings.Join(parts, " | ")
}

// valueText names a value and how it is carried.
func valueText(v rowferry.Value) string {
	switch v.Kind() {
	case rowferry.Float:
		return "f" + strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case rowferry.Text:
		return strconv.Quote(v.Str())
	case rowferry.Bytes:
		return fmt.Sprintf("x%x", v.Str())
	default:
		return v.String()
	}
}

func (m *model) apply(t *testing.T, c rowferry.Change) {
	t.Helper()
	if c.Before != nil {
		k := rowKey(c.Before)
		if m.rows[k]--; m.rows[k] < 0 {
			t.Fatalf("%s: %s of a row that is not there: %.500s", m.shape.Name, c.Op, k)
		}
		if m.rows[k] == 0 {
			delete(m.rows, k)
		}
	}
	if c.After != nil {
		m.rows[rowKey(c.After)]++
	}
}

// replay decodes the log of a database into models by table. known has the
// shapes by table, or is nil.
func replay(t *testing.T, s *testdb.Server, database string, known map[string]*schema.Table) map[string]*model {
	t.Helper()
	models := map[string]*model{}
	readLog(t, s, database, func(ev loggedEvent) {
		name := string(ev.tm.Table)
		shape, err := shapeFromMap(ev.tm, known[name], ev.srv)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m := models[name]
		if m == nil {
			m = &model{shape: shape, rows: map[string]int{}}
			models[name] = m
		}
		if again, err := shapeFromMap(ev.tm, shape, ev.srv); err != nil || again != shape {
			t.Fatalf("%s: its own shape is not known again: %v", name, err)
		}
		d, err := newRowDecoder(ev.tm, shape, ev.srv)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		changes, err := d.decode(nil, ev.hdr, ev.rows)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range changes {
			m.apply(t, c)
		}
		compareWithLibrary(t, ev, shape, changes)
	})
	return models
}

// selectText returns the expression that asks the server for a value in full,
// and how its answer becomes a Value.
func selectText(c schema.Column) (expr string, carry func(string) (rowferry.Value, error)) {
	name := "`" + strings.ReplaceAll(c.Name, "`", "``") + "`"
	text := func(s string) (rowferry.Value, error) { return rowferry.TextValue(s), nil }
	signed := func(s string) (rowferry.Value, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		return rowferry.IntValue(n), err
	}
	unsigned := func(s string) (rowferry.Value, error) {
		n, err := strconv.ParseUint(s, 10, 64)
		return rowferry.UintValue(n), err
	}
	switch c.Type.Kind {
	case schema.Int:
		if c.Type.Unsigned {
			return "CAST(" + name + " AS UNSIGNED)", unsigned
		}
		return "CAST(" + name + " AS SIGNED)", signed
	case schema.Year:
		return "CAST(" + name + " AS SIGNED)", signed
	case schema.Bit:
		return "CAST(" + name + " AS UNSIGNED)", unsigned
	case schema.Float32, schema.Float64:
		return "CAST(" + name + " AS DOUBLE)", func(s string) (rowferry.Value, error) {
			n, err := strconv.ParseFloat(s, 64)
			return rowferry.FloatValue(n), err
		}
	case schema.Binary, schema.VarBinary, schema.Blob:
		return name, func(s string) (rowferry.Value, error) { return rowferry.BytesValue(s), nil }
	case schema.JSON, schema.UUID, schema.Inet4, schema.Inet6:
		return "CAST(" + name + " AS CHAR)", text
	default:
		return name, text
	}
}

// compareWithSelect compares a model with the table as the server has it.
func compareWithSelect(t *testing.T, db *sql.DB, m *model) {
	t.Helper()
	var exprs []string
	var carry []func(string) (rowferry.Value, error)
	for _, c := range m.shape.Columns {
		e, f := selectText(c)
		exprs, carry = append(exprs, e), append(carry, f)
	}
	table := "`" + strings.ReplaceAll(m.shape.Name.Table, "`", "``") + "`"
	rows, err := db.QueryContext(context.Background(), "SELECT "+strings.Join(exprs, ", ")+" FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	left := maps.Clone(m.rows)
	for rows.Next() {
		raw := make([]sql.NullString, len(carry))
		dst := make([]any, len(carry))
		for i := range raw {
			dst[i] = &raw[i]
		}
		if err := rows.Scan(dst...); err != nil {
			t.Fatal(err)
		}
		want := make(rowferry.Row, len(carry))
		for i := range raw {
			want[i] = rowferry.NullValue()
			if raw[i].Valid {
				if want[i], err = carry[i](raw[i].String); err != nil {
					t.Fatal(err)
				}
			}
		}
		k := rowKey(want)
		if left[k]--; left[k] == 0 {
			delete(left, k)
		} else if left[k] < 0 {
			t.Errorf("%s: the log does not lead to the row %.600s", m.shape.Name, k)
			delete(left, k)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for k := range left {
		t.Errorf("%s: the log leads to the row %.600s, which is not there", m.shape.Name, k)
	}
}

// ambiguousTables are those of which MariaDB's log alone does not tell a type.
func ambiguousTables(known map[string]*schema.Table) map[string]*schema.Table {
	only := map[string]*schema.Table{}
	for name, t := range known {
		if slices.ContainsFunc(t.Columns, func(c schema.Column) bool {
			l := c.Type.Length
			return c.Type.Kind == schema.Binary && (l == 16 || l == 4) || slices.Contains([]schema.Kind{schema.UUID, schema.Inet4, schema.Inet6}, c.Type.Kind)
		}) {
			only[name] = t
		}
	}
	return only
}

// TestTypes decodes every type with its extremes from real logs, with each
// amount of metadata, and compares with what the server itself says.
func TestTypes(t *testing.T) {
	for _, tc := range []struct {
		kind     testdb.Kind
		metadata string
	}{
		{testdb.MySQL97, "FULL"}, {testdb.MySQL97, "MINIMAL"},
		{testdb.MariaDB1011, "FULL"}, {testdb.MariaDB1011, "MINIMAL"}, {testdb.MariaDB1011, "NO_LOG"},
	} {
		if tc.metadata == "MINIMAL" && tc.kind == testdb.MariaDB1011 && !testdb.Soak() {
			continue // between the other two
		}
		t.Run(string(tc.kind)+"/"+tc.metadata, func(t *testing.T) {
			s := testdb.Start(t, tc.kind, testdb.RowMetadata(tc.metadata))
			name, db := testdb.NewDatabase(t, s)
			if err := types.Create(context.Background(), db, tc.kind.Flavor()); err != nil {
				t.Fatal(err)
			}
			known := knownShapes(t, db, name, tc.kind.Flavor())
			given := known
			if tc.metadata == "FULL" {
				given = nil
				if tc.kind.Flavor() == testdb.MariaDB {
					given = ambiguousTables(known)
				}
			}
			models := replay(t, s, name, given)
			for table, m := range models {
				compareTypes(t, known[table], m.shape)
				compareWithSelect(t, db, m)
			}
			if len(models) < 100 {
				t.Errorf("only %d tables were logged", len(models))
			}
		})
	}
}

// compareTypes compares a shape with what the catalogue says.
func compareTypes(t *testing.T, want, got *schema.Table) {
	t.Helper()
	if len(want.Columns) != len(got.Columns) {
		t.Errorf("%s: %d columns, the catalogue has %d", got.Name, len(got.Columns), len(want.Columns))
		return
	}
	for i, w := range want.Columns {
		g := got.Columns[i]
		if w.Type.Kind == schema.JSON && g.Type.Kind == schema.Text {
			continue // MariaDB's JSON is text to its log
		}
		wt, gt := w.Type, g.Type
		if wt.Kind == schema.JSON || wt.Kind == schema.UUID || wt.Kind == schema.Inet4 || wt.Kind == schema.Inet6 {
			wt.Charset, wt.Collation, gt.Charset, gt.Collation = "", "", "", ""
		}
		if fmt.Sprintf("%+v", wt) != fmt.Sprintf("%+v", gt) || w.Name != g.Name || w.Nullable != g.Nullable {
			t.Errorf("%s.%s: %s %+v, the catalogue has %s %+v", got.Name, g.Name, g.Name, gt, w.Name, wt)
		}
	}
}
