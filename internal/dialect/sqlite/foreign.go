package sqlite

import (
	"fmt"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// Parents tells what is known of the table that a foreign key points to.
type Parents func(name schema.Name) (Parent, error)

// Parent is a foreign key's parent: Shape where the database has it, nil where
// it does not; InScope where it is or may yet be made by the pipeline; Late
// where it does not exist although the child's first row is about to be written.
type Parent struct {
	Shape   *schema.Table
	InScope bool
	Late    bool
}

// CascadeError says that a foreign key's action cannot be carried, so that
// child rows which the source changes without logging it would stay as they
// are in the target.
type CascadeError struct {
	Table   schema.Name
	Columns []string // the key's columns in Table
	Key     schema.ForeignKey
	Reason  string
}

func (e *CascadeError) Error() string {
	return fmt.Sprintf("foreign key of table %s to %s has an action and cannot be carried: %s", e.Table, e.Key.Parent, e.Reason)
}

// foreignKeys splits the table's foreign keys into those to carry and notices
// about those that are left out. One that acts is carried or is an error.
func foreignKeys(t *schema.Table, parents Parents) (carried []schema.ForeignKey, notices []string, err error) {
	for _, f := range t.ForeignKeys {
		if f.OnDelete == schema.SetDefault || f.OnUpdate == schema.SetDefault {
			return nil, nil, &CascadeError{t.Name, t.ColumnNames(f.Columns), f, "SET DEFAULT needs the column's default, which a shape does not have"}
		}
		reason, err := leftOut(t, f, parents)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case reason == "" && t.ByteExact(f.Columns):
			carried = append(carried, f)
		case reason == "" && f.Acts():
			carried = append(carried, f)
			notices = append(notices, fmt.Sprintf("table %s: the foreign key %s is kept for its action, but compares exactly: "+
				"a row whose value equals its parent's only by collation will be refused", t.Name, describe(t, f)))
		case reason == "":
			notices = append(notices, fmt.Sprintf("table %s is made without the foreign key %s: "+
				"it compares by a collation that SQLite does not have", t.Name, describe(t, f)))
		case f.Acts():
			return nil, nil, &CascadeError{t.Name, t.ColumnNames(f.Columns), f, reason}
		default:
			notices = append(notices, fmt.Sprintf("table %s is made without the foreign key %s: %s", t.Name, describe(t, f), reason))
		}
	}
	return carried, notices, nil
}

// leftOut returns why the foreign key cannot be declared, or "" where it can.
// SQLite looks for the parent only when rows are written, and then refuses
// every one of them if the parent or a unique key over exactly the referenced
// columns is missing. A parent that is still to come is trusted here:
// whoever writes rows has to look again.
func leftOut(t *schema.Table, f schema.ForeignKey, parents Parents) (string, error) {
	p := Parent{Shape: t, InScope: true}
	if f.Parent != t.Name {
		var err error
		if p, err = parents(f.Parent); err != nil {
			return "", err
		}
	}
	switch {
	case p.Shape == nil && p.Late:
		return fmt.Sprintf("%s did not exist when the first row came, and SQLite cannot add a foreign key to a table later, "+
			"so it stays left out", f.Parent), nil
	case p.Shape == nil && !p.InScope:
		return fmt.Sprintf("%s is not part of the pipeline", f.Parent), nil
	case p.Shape == nil:
		return "", nil
	case !References(p.Shape, f.Referenced):
		return fmt.Sprintf("%s has no primary or unique key over exactly (%s)", f.Parent, strings.Join(f.Referenced, ", ")), nil
	default:
		return "", nil
	}
}

// References reports whether a foreign key may refer to the named columns of
// parent: they are its primary key or one of its unique keys, in any order.
func References(parent *schema.Table, referenced []string) bool {
	ordinals := make([]int, len(referenced))
	for i, name := range referenced {
		if ordinals[i] = columnFold(parent, name); ordinals[i] < 0 {
			return false
		}
	}
	return parent.UniqueOver(ordinals)
}

func describe(t *schema.Table, f schema.ForeignKey) string {
	return fmt.Sprintf("(%s) to %s (%s)", strings.Join(t.ColumnNames(f.Columns), ", "), f.Parent, strings.Join(f.Referenced, ", "))
}
