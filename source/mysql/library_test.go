package mysql

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/rowferry/rowferry"
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

// compareWithLibrary compares an event's changes with what the library's own
// decoder makes of it, where both carry a value in the same way. Without full
// metadata the library knows no signs, and of MariaDB's older and compressed
// formats it knows nothing.
func compareWithLibrary(t *testing.T, ev loggedEvent, shape *schema.Table, changes []rowferry.Change) {
	t.Helper()
	unknown := func(code byte) bool {
		return slices.Contains([]byte{wireTime, wireDateTime, wireTimestamp, wireBlobZ, wireVarCharZ}, code)
	}
	if len(ev.theirs.ColumnName) == 0 || slices.ContainsFunc(ev.theirs.ColumnType, unknown) {
		return
	}
	if err := ev.hdr.DecodeData(ev.head, ev.data); err != nil {
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
				t.Errorf("%s.%s: %q, the library says %q", shape.Name, shape.Columns[j].Name, text, ofLibrary(theirs))
			}
		}
	}
}
