package rowferry

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry/schema"
)

// pickIDs reads "table=key,key,…".
func pickIDs(tables []CopyTable, text string) (*CopyTable, Pick, error) {
	name, list, ok := strings.Cut(text, "=")
	if !ok || list == "" {
		return nil, Pick{}, Errorf(CodeBadValue, "--ids takes a table and its keys, not %q", text).Remedy("write", "--ids shop.orders=1,2,3")
	}
	i := slices.IndexFunc(tables, func(t CopyTable) bool { return t.Shape.Name.String() == name })
	if i < 0 {
		return nil, Pick{}, unknownTable("--ids", name, tables)
	}
	t := tables[i].Shape
	identity := t.Identity()
	if len(identity) != 1 {
		return nil, Pick{}, Errorf(CodeBadValue, "--ids is for tables whose key is one column").Fact("table", "%s", name).
			Fact("key", "%s", strings.Join(t.ColumnNames(identity), ", ")).
			Remedy("select by", "--since %s.COLUMN=VALUE, or --limit", name)
	}
	pick := Pick{By: identity}
	for word := range strings.SplitSeq(list, ",") {
		v, why := partValue(t.Columns[identity[0]].Type, word)
		if why != "" {
			return nil, Pick{}, badPart("--ids", t, identity[0], word, why)
		}
		pick.Keys = append(pick.Keys, []Value{v})
	}
	return &tables[i], pick, nil
}

// pickSince reads "table.column=value".
func pickSince(tables []CopyTable, text string) (*CopyTable, Pick, error) {
	place, word, ok := strings.Cut(text, "=")
	dot := strings.LastIndexByte(place, '.')
	if !ok || dot < 0 {
		return nil, Pick{}, Errorf(CodeBadValue, "--since takes a table, its column and a value, not %q", text).
			Remedy("write", "--since shop.orders.created=2026-01-31")
	}
	name, column := place[:dot], place[dot+1:]
	i := slices.IndexFunc(tables, func(t CopyTable) bool { return t.Shape.Name.String() == name })
	if i < 0 {
		return nil, Pick{}, unknownTable("--since", name, tables)
	}
	t := tables[i].Shape
	at := t.Column(column)
	if at < 0 {
		return nil, Pick{}, Errorf(CodeBadValue, "--since names a column that the table does not have").Fact("table", "%s", name).Fact("column", "%s", column).
			Fact("columns", "%s", strings.Join(columnNames(t), ", "))
	}
	v, why := partValue(t.Columns[at].Type, word)
	if why != "" {
		return nil, Pick{}, badPart("--since", t, at, word, why)
	}
	return &tables[i], Pick{Since: &PartBound{at, v}}, nil
}

func columnNames(t *schema.Table) []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

func unknownTable(option, name string, tables []CopyTable) error {
	e := Errorf(CodeBadValue, "%s names a table that is not in scope", option).Fact("table", "%s", name)
	for _, t := range tables {
		_, bare, _ := strings.Cut(t.Shape.Name.String(), ".")
		if strings.EqualFold(t.Shape.Name.String(), name) || strings.EqualFold(bare, name) {
			return e.Remedy("did you mean", "%s", t.Shape.Name)
		}
	}
	return e.Remedy("look", "rowferry plan lists the tables in scope")
}

func badPart(option string, t *schema.Table, column int, word, why string) error {
	c := t.Columns[column]
	return Errorf(CodeBadValue, "%s has a value that its column cannot be compared with", option).
		Fact("table", "%s", t.Name).Fact("column", "%s %s", c.Name, c.Type).Fact("value", "%q", word).Fact("reason", "%s", why)
}

var (
	decimalText = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
	uuidText    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// partValue reads a value of a type as a person writes it, or says why it cannot.
func partValue(t schema.Type, text string) (v Value, why string) {
	switch t.Kind {
	case schema.Int, schema.Year:
		return integerOf(t, text)
	case schema.Decimal:
		if !decimalText.MatchString(text) {
			return v, "it is no decimal number"
		}
		return TextValue(text), ""
	case schema.Float32, schema.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return v, "it is no number"
		}
		return FloatValue(n), ""
	case schema.Char, schema.VarChar, schema.Text:
		return TextValue(text), ""
	case schema.Date, schema.DateTime, schema.Timestamp:
		return momentOf(t.Kind, text)
	case schema.UUID:
		if text = strings.ToLower(text); !uuidText.MatchString(text) {
			return v, "it is no UUID"
		}
		return TextValue(text), ""
	default:
		return v, "rows are not selected by columns of this type"
	}
}

func integerOf(t schema.Type, text string) (Value, string) {
	bits := t.Bits
	if t.Kind == schema.Year || bits == 0 {
		bits = 64
	}
	if t.Unsigned {
		n, err := strconv.ParseUint(text, 10, bits)
		if err != nil {
			return Value{}, "it is no whole number of this size"
		}
		return UintValue(n), ""
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || bits < 64 && (n < -(1<<(bits-1)) || n >= 1<<(bits-1)) {
		return Value{}, "it is no whole number of this size"
	}
	return IntValue(n), ""
}

// momentOf reads a day, a time of day on it, or an instant, which has a zone.
func momentOf(k schema.Kind, text string) (Value, string) {
	if day, err := time.Parse(time.DateOnly, text); err == nil && k != schema.Timestamp {
		if k == schema.DateTime {
			text = day.Format(time.DateTime)
		}
		return TextValue(text), ""
	}
	switch k {
	case schema.Date:
		return Value{}, "it is no day, as 2026-01-31"
	case schema.DateTime:
		for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
			if at, err := time.Parse(layout, text); err == nil {
				return TextValue(at.Format("2006-01-02 15:04:05.999999")), ""
			}
		}
		return Value{}, "it is no day or time of day without a zone, as 2026-01-31T12:00:00"
	default:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return Value{}, "it is no instant with its zone, as 2026-01-31T12:00:00Z"
		}
		return TextValue(at.UTC().Format("2006-01-02 15:04:05.999999")), ""
	}
}
