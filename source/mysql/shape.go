package mysql

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// shapeFromMap builds the shape that a table map describes.
//
// A map with full metadata (binlog_row_metadata=FULL, which is recognised by
// its column names) stands alone for columns and primary key; known then only
// settles what no map tells, column by name. With less metadata, or none, what
// is missing comes from known, column by ordinal, and the rest must fit it:
// the number of columns, their wire types, lengths, precision, fraction digits
// and signedness, else CodeShapeMismatch. What neither tells is
// CodeShapeUnknown. Unique and foreign keys, generated and auto-increment
// columns are in no map and come from known.
//
// If the result equals known, known itself is returned, so that the pointer
// stays the version. Types that a map cannot tell apart are CodeTypeRefused
// unless known does: UUID and INET6 from BINARY(16), INET4 from BINARY(4),
// MariaDB's old times with a fraction from those without.
func shapeFromMap(tm *replication.TableMapEvent, known *schema.Table, srv server) (*schema.Table, error) {
	cols, err := wireColumns(tm, srv)
	if err != nil {
		return nil, err
	}
	b := &shapeBuilder{name: schema.Name{Schema: string(tm.Schema), Table: string(tm.Table)}, known: known, srv: srv}
	b.full = len(tm.ColumnName) > 0
	if !utf8.ValidString(b.name.Schema) || !utf8.ValidString(b.name.Table) {
		return nil, corrupt("a table map has a name that is not UTF-8")
	}
	if !b.full && known == nil {
		return nil, b.unknown(cols)
	}
	b.cols = cols[:len(cols)-hiddenColumns(cols, known, srv)]
	if err := b.checkCount(); err != nil {
		return nil, err
	}
	return b.build(tm)
}

type shapeBuilder struct {
	name  schema.Name
	cols  []wireColumn // without MariaDB's hidden ones
	known *schema.Table
	srv   server
	full  bool // the map names its columns
}

func (b *shapeBuilder) build(tm *replication.TableMapEvent) (*schema.Table, error) {
	t := &schema.Table{Name: b.name, Columns: make([]schema.Column, len(b.cols))}
	var open []string
	for i := range b.cols {
		c, gap, err := b.column(i)
		if err != nil {
			return nil, err
		}
		if gap != "" {
			open = append(open, fmt.Sprintf("%s (%s)", c.Name, gap))
		}
		t.Columns[i] = c
	}
	if len(open) > 0 {
		return nil, b.incomplete(open)
	}
	if err := b.constraints(t, tm); err != nil {
		return nil, err
	}
	if err := t.Validate(); err != nil {
		return nil, corrupt("a table map describes an impossible table: %w", err)
	}
	if b.known != nil && reflect.DeepEqual(t, b.known) {
		return b.known, nil
	}
	return t, nil
}

// column composes one column; gap names what is not known of its type.
func (b *shapeBuilder) column(i int) (c schema.Column, gap string, err error) {
	w := &b.cols[i]
	if k := b.knownColumn(i); k != nil {
		c = *k
		var p problem
		c.Type, p = columnType(w, &k.Type, b.srv)
		if p.kind == mismatch && b.full {
			c.Type, p = columnType(w, nil, b.srv) // known is of another time
		}
		gap, err = b.judge(w, k.Name, k.Type, p)
	} else {
		c.Name = w.name
		var p problem
		c.Type, p = columnType(w, nil, b.srv)
		gap, err = b.judge(w, w.name, schema.Type{}, p)
	}
	c.Nullable = w.nullable
	if w.showKnown {
		c.Invisible = w.hidden
	}
	if b.full {
		c.Name = w.name
		if !utf8.ValidString(c.Name) {
			return c, "", corrupt("table %s has a column whose name is not UTF-8", b.name)
		}
	}
	return c, gap, err
}

func (b *shapeBuilder) knownColumn(i int) *schema.Column {
	if b.known == nil {
		return nil
	}
	if b.full {
		if i = b.known.Column(b.cols[i].name); i < 0 {
			return nil
		}
	}
	return &b.known.Columns[i]
}

// judge turns a problem with a column's type into the error it is, or into a
// gap, of which all are reported together.
func (b *shapeBuilder) judge(w *wireColumn, name string, k schema.Type, p problem) (gap string, err error) {
	switch p.kind {
	case fits:
		return "", nil
	case missing:
		return p.text, nil
	case mismatch:
		return "", rowferry.Errorf(rowferry.CodeShapeMismatch, "the known shape of table %s does not fit its rows", b.name).
			Fact("column", "%s", name).Fact("known", "%s", k).Fact("logged", "%s", w).Fact("reason", "%s", p.text).
			Remedy("the right shape", "give --schema a dump of the table's definition as of the start of the log")
	case refused:
		e := rowferry.Errorf(rowferry.CodeTypeRefused, "table %s has a column whose type cannot be carried", b.name).
			Fact("table", "%s", b.name).Fact("column", "%s", name).Fact("logged", "%s", w).Fact("reason", "%s", p.text)
		return "", e.Remedy("leave it out", "take the table out of 'tables'")
	case ambiguous:
		return "", rowferry.Errorf(rowferry.CodeTypeRefused, "the log alone does not tell the type of a column of table %s", b.name).
			Fact("table", "%s", b.name).Fact("column", "%s", name).Fact("logged", "%s", w).Fact("reason", "%s", p.text).
			Remedy("tell the type", "give --schema a dump of the table's definition as of the start of the log")
	default:
		return "", rowferry.Errorf(rowferry.CodeInternal, "a column's type was judged %d", p.kind)
	}
}

// unknown is the error for a table of which neither the map nor anything else
// tells the names.
func (b *shapeBuilder) unknown(cols []wireColumn) error {
	types := make([]string, len(cols))
	for i := range cols {
		types[i] = cols[i].String()
	}
	return rowferry.Errorf(rowferry.CodeShapeUnknown, "the columns of table %s are not known", b.name).
		Fact("table", "%s", b.name).Fact("columns", "%d: %s", len(cols), strings.Join(types, ", ")).
		Fact("missing", "names, keys and parts of the types").
		Remedy("tell the shape", "give --schema a dump of the table's definition as of the start of the log")
}

func (b *shapeBuilder) incomplete(open []string) error {
	return rowferry.Errorf(rowferry.CodeShapeUnknown, "the types of columns of table %s are not known", b.name).
		Fact("table", "%s", b.name).Fact("missing", "%s", strings.Join(open, ", ")).
		Remedy("tell the shape", "give --schema a dump of the table's definition as of the start of the log")
}

// checkCount compares the number of columns with known's, where columns are
// matched by ordinal, and refuses system-versioned tables by name.
func (b *shapeBuilder) checkCount() error {
	if b.versioned() {
		return rowferry.Errorf(rowferry.CodeTypeRefused, "table %s is system-versioned", b.name).
			Fact("table", "%s", b.name).Fact("reason", "its log mixes rows with their history, under keys that include the time").
			Remedy("leave it out", "take the table out of 'tables'")
	}
	n := len(b.cols)
	if b.full || len(b.known.Columns) == n {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeShapeMismatch, "the known shape of table %s does not fit its rows", b.name).
		Fact("table", "%s", b.name).Fact("known", "%d columns", len(b.known.Columns)).Fact("logged", "%d columns", n).
		Remedy("the right shape", "give --schema a dump of the table's definition as of the start of the log")
}

// versioned reports whether the table is system-versioned: known says so, or
// the map shows the columns that are added to such a table.
func (b *shapeBuilder) versioned() bool {
	if b.known != nil && b.known.Versioned {
		return true
	}
	n := len(b.cols)
	return b.srv.mariadb && n > 2 && b.cols[n-2].versionMark("row_start") && b.cols[n-1].versionMark("row_end") &&
		(b.known == nil && b.full || b.known != nil && len(b.known.Columns) == n-2)
}

// versionMark reports whether the column looks like what WITH SYSTEM
// VERSIONING adds under this name.
func (w *wireColumn) versionMark(name string) bool {
	return w.code == wireTimestamp2 && w.fsp == 6 && !w.nullable && (w.name == "" || w.name == name)
}

var hashColumn = regexp.MustCompile(`^DB_ROW_HASH_[0-9]+$`)

// hiddenColumns returns how many columns at the end are the hidden hashes with
// which MariaDB keeps unique keys over long values. Row images have them; no
// statement sees them.
func hiddenColumns(cols []wireColumn, known *schema.Table, srv server) int {
	if !srv.mariadb {
		return 0
	}
	hash := func(w *wireColumn) bool {
		return w.code == wireLongLong && w.nullable && (w.unsigned || !w.signKnown) && (w.name == "" || hashColumn.MatchString(w.name))
	}
	n := 0
	for n < len(cols)-1 && hash(&cols[len(cols)-1-n]) {
		n++
	}
	if cols[0].name != "" || n == 0 {
		return n
	}
	// Without names: as many as known has unique keys that need one.
	extra := len(cols) - len(known.Columns)
	if extra > 0 && extra <= n && extra == longUniques(known) {
		return extra
	}
	return 0
}

// maxKeyBytes is the longest index entry of InnoDB, beyond which MariaDB makes
// a unique key of hashes.
const maxKeyBytes = 3072

func longUniques(t *schema.Table) int {
	n := 0
	for _, u := range t.Uniques {
		size := 0
		for i, o := range u.Columns {
			ty := t.Columns[o].Type
			switch {
			case u.Prefix != nil && u.Prefix[i] > 0:
				size += u.Prefix[i] * max(maxLen(ty.Charset), 1)
			case ty.Kind == schema.Text, ty.Kind == schema.Blob, ty.Kind == schema.JSON:
				size += maxKeyBytes + 1
			default:
				size += ty.Length * max(maxLen(ty.Charset), 1)
			}
		}
		if size > maxKeyBytes {
			n++
		}
	}
	return n
}

// constraints adds the keys: the primary key from a full map, all else from
// known.
func (b *shapeBuilder) constraints(t *schema.Table, tm *replication.TableMapEvent) error {
	k := b.known
	if !b.full {
		t.PrimaryKey, t.Uniques, t.ForeignKeys = k.PrimaryKey, k.Uniques, k.ForeignKeys
		t.ConstraintsKnown, t.Unsupported = k.ConstraintsKnown, k.Unsupported
		t.Indexes, t.OtherIndexes = k.Indexes, k.OtherIndexes
		return nil
	}
	for _, o := range tm.PrimaryKey {
		if o >= uint64(len(t.Columns)) {
			return corrupt("the primary key of table %s names column %d of %d", b.name, o, len(t.Columns))
		}
		t.PrimaryKey = append(t.PrimaryKey, int(o))
	}
	if k == nil {
		return nil
	}
	all := t.ColumnNames(ordinals(len(t.Columns)))
	if slices.Equal(all, k.ColumnNames(ordinals(len(k.Columns)))) {
		t.Uniques, t.ForeignKeys = k.Uniques, k.ForeignKeys
		t.ConstraintsKnown, t.Unsupported = k.ConstraintsKnown, k.Unsupported
		t.Indexes, t.OtherIndexes = k.Indexes, k.OtherIndexes
		if promoted(t, k) {
			t.PrimaryKey = nil
		}
		return nil
	}
	// Known is of another time: what it says of columns that are still there
	// holds as far as it goes, but there may be more.
	for _, u := range k.Uniques {
		if c, ok := moved(k, t, u.Columns); ok {
			t.Uniques = append(t.Uniques, schema.Index{Name: u.Name, Columns: c, Prefix: u.Prefix})
		}
	}
	for _, f := range k.ForeignKeys {
		if c, ok := moved(k, t, f.Columns); ok {
			f.Columns = c
			t.ForeignKeys = append(t.ForeignKeys, f)
		}
	}
	return nil
}

// promoted reports whether the primary key that the map tells is a unique key
// of a table that has none: servers log the key by which the engine stores rows.
func promoted(t, known *schema.Table) bool {
	return known.ConstraintsKnown && len(known.PrimaryKey) == 0 &&
		slices.ContainsFunc(known.Uniques, func(u schema.Index) bool { return slices.Equal(u.Columns, t.PrimaryKey) })
}

// moved translates ordinals of one shape into those of another, by name.
func moved(from, to *schema.Table, columns []int) ([]int, bool) {
	there := make([]int, len(columns))
	for i, o := range columns {
		if there[i] = to.Column(from.Columns[o].Name); there[i] < 0 {
			return nil, false
		}
	}
	return there, true
}

func ordinals(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
