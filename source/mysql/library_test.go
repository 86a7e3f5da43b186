package mysql

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/types"
	"github.com/rowferry/rowferry/schema"
)

// libraryText says a value of ours the way the library says its own, where the
// library finishes it; ok is false where it does not.
func libraryText(c schema.Column, v rowferry.Value) (string, bool) {
	switch c.Type.Kind {
	case schema.Int, schema.Year, schema.Decimal, schema.Date, schema.DateTime, schema.Timestamp, schema.VarBinary, schema.Blob:
		if c.Type.Kind == schema.VarBinary || c.Type.Kind == schema.Blob {
			return v.Str(), true
		}
		return v.String(), true
	case schema.Float32, schema.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64), true
	case schema.Bit:
		return strconv.FormatInt(int64(v.Uint()), 10), true
	case schema.Char, schema.VarChar, schema.Text:
		return v.Str(), c.Type.Charset == "utf8mb4" || c.Type.Charset == "utf8mb3"
	default:
		return "", false
	}
}

func ofLibrary(v any) string {
	switch v := v.(type) {
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 64)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []byte:
		return string(v)
	default:
		return fmt.Sprint(v)
	}
}

// TestAgainstLibrary compares with the library's own decoder, on real logs,
// what both carry in the same way.
func TestAgainstLibrary(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, testdb.RowMetadata("FULL"))
			name, db := testdb.NewDatabase(t, s)
			if err := types.Create(context.Background(), db, k.Flavor()); err != nil {
				t.Fatal(err)
			}
			known := knownShapes(t, db, name, k.Flavor())
			compared, wrong := 0, 0
			readLog(t, s, name, func(ev loggedEvent) {
				shape, err := shapeFromMap(ev.tm, known[string(ev.tm.Table)], ev.srv)
				if err != nil {
					t.Fatal(err)
				}
				d, err := newRowDecoder(ev.tm, shape, ev.srv)
				if err != nil {
					t.Fatal(err)
				}
				changes, err := d.decode(nil, ev.hdr, ev.rows)
				if err != nil {
					t.Fatal(err)
				}
				if err := ev.hdr.DecodeData(len(ev.data)-len(ev.rows), ev.data); err != nil {
					t.Fatal(err)
				}
				var ours []rowferry.Row
				for _, c := range changes {
					for _, r := range []rowferry.Row{c.Before, c.After} {
						if r != nil {
							ours = append(ours, r)
						}
					}
				}
				if len(ours) != len(ev.hdr.Rows) {
					t.Fatalf("%s: %d images, the library has %d", shape.Name, len(ours), len(ev.hdr.Rows))
				}
				for i, row := range ours {
					for j, v := range row {
						theirs := ev.hdr.Rows[i][j]
						text, ok := libraryText(shape.Columns[j], v)
						if v.IsNull() != (theirs == nil) || ok && !v.IsNull() && text != ofLibrary(theirs) {
							if wrong++; wrong < 20 {
								t.Errorf("%s.%s: %q, the library says %q", shape.Name, shape.Columns[j].Name, text, ofLibrary(theirs))
							}
						}
						compared++
					}
				}
			})
			t.Logf("%d values compared", compared)
		})
	}
}
