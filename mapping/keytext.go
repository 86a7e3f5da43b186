package mapping

import (
	"encoding/csv"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// KeyTexts returns each value of a key as text; see JoinKey.
func KeyTexts(key []rowferry.Value) []string {
	var texts []string
	for _, v := range key {
		texts = append(texts, v.String())
	}
	return texts
}

// JoinKey returns a key as parseKey reads it: the values with commas between, in
// double quotes, doubled within, where one would be read otherwise.
func JoinKey(texts []string) string {
	parts := make([]string, len(texts))
	for i, t := range texts {
		parts[i] = t
		if t == "" || strings.HasPrefix(t, "-") || strings.ContainsAny(t, "\"\r\n") || len(texts) > 1 && strings.Contains(t, ",") {
			parts[i] = `"` + strings.ReplaceAll(t, `"`, `""`) + `"`
		}
	}
	return strings.Join(parts, ",")
}

// ParseKey reads a key of a source's table: the values with commas between.
func ParseKey(t *schema.Table, text string) ([]rowferry.Value, error) {
	return parseKey(t.Name, t, text)
}

// parseKey reads a key of a table: see JoinKey. A key of one column that does not
// begin with a quote is taken as it is. Binary values are hexadecimal, after 0x.
func parseKey(source schema.Name, t *schema.Table, text string) ([]rowferry.Value, error) {
	columns := t.Identity()
	refuse := func(format string, args ...any) error {
		return rowferry.Errorf(rowferry.CodeKeyText, format, args...).
			Fact("key of "+source.String(), "%s", strings.Join(t.ColumnNames(columns), ", ")).Fact("given", "%s", text)
	}
	parts := []string{text}
	if len(columns) > 1 || strings.HasPrefix(text, `"`) {
		rd := csv.NewReader(strings.NewReader(text))
		all, err := rd.ReadAll()
		if err != nil || len(all) != 1 {
			return nil, refuse("this is not a list of values")
		}
		parts = all[0]
	}
	if len(columns) == 0 {
		return nil, refuse("the table has no key")
	}
	if len(parts) != len(columns) {
		return nil, refuse("the key has %d columns, and %d values were given", len(columns), len(parts))
	}
	key := make([]rowferry.Value, len(parts))
	for i, o := range columns {
		v, ok := parseValue(t.Columns[o].Type, parts[i])
		if !ok {
			return nil, refuse("%q is no value of column %s, which is of type %s", parts[i], t.Columns[o].Name, t.Columns[o].Type.Kind)
		}
		key[i] = v
	}
	return key, nil
}

// parseValue reads a value as the sources carry it; see rowferry.ValueKind.
func parseValue(t schema.Type, text string) (rowferry.Value, bool) {
	switch t.Kind {
	case schema.Int, schema.Bit, schema.Year, schema.Bool:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return rowferry.IntValue(n), true
		}
		n, err := strconv.ParseUint(text, 10, 64)
		return rowferry.UintValue(n), err == nil
	case schema.Float32, schema.Float64:
		n, err := strconv.ParseFloat(text, 64)
		return rowferry.FloatValue(n), err == nil
	case schema.Binary, schema.VarBinary, schema.Blob, schema.Geometry, schema.Vector:
		digits, ok := strings.CutPrefix(text, "0x")
		b, err := hex.DecodeString(digits)
		return rowferry.BytesValue(string(b)), ok && err == nil
	default:
		return rowferry.TextValue(text), true
	}
}
