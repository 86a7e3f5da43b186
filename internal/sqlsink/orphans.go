package sqlsink

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// Orphanage deals with the rows of tables that a copy made whose foreign keys have
// no parent, before the keys are made.
type Orphanage struct {
	Completion rowferry.Completion
	Quote      func(name string) string
	// Shown is the value of a column as text, for people.
	Shown func(c *schema.Column, quoted string) string
	// Joins is for MySQL, which takes no subquery of a table that a statement changes,
	// nor an alias of one to delete from where no database is the default.
	Joins bool
	// Look runs a query, and calls row with the values of each row.
	Look func(sql string, columns int, row func([]string)) error
	// Change runs a statement in a transaction of its own.
	Change func(sql string) error
}

// OrphanKey is a foreign key that is to be made.
type OrphanKey struct {
	Table *schema.Table
	Key   schema.ForeignKey
	// Child and Parent are the tables' names as they stand in a statement: the same
	// one for the same table.
	Child, Parent string
}

// Settle has each of the keys hold: a row that has no parent loses its reference or
// is deleted, and so on with what referred to it.
func (o *Orphanage) Settle(keys []OrphanKey) error {
	for left := keys; len(left) > 0; {
		changed := map[string]bool{}
		for _, k := range left {
			o.Completion.Each(fmt.Sprintf("table %s: rows without a parent of %s", k.Table.Name, DescribeKey(k.Table, k.Key)))
			did, err := o.settle(k)
			if err != nil {
				return err
			}
			changed[k.Child] = changed[k.Child] || did
		}
		left = nil
		for _, k := range keys {
			if changed[k.Parent] && !failpoint.On("orphans-once") {
				left = append(left, k)
			}
		}
	}
	return nil
}

// settle deals with one key, and reports whether that changed rows.
func (o *Orphanage) settle(k OrphanKey) (bool, error) {
	found := rowferry.Orphans{Table: k.Table.Name, Key: DescribeKey(k.Table, k.Key), Policy: o.Completion.Orphans}
	var err error
	look := o.Look("SELECT COUNT(*) FROM "+o.child(k)+o.without(k), 1, func(row []string) {
		found.Rows, err = strconv.ParseInt(row[0], 10, 64)
	})
	if look != nil || err != nil || found.Rows == 0 {
		return false, firstOf(look, err)
	}
	if found.Keys, err = o.first(k); err != nil {
		return false, err
	}
	sql := "DELETE FROM " + o.child(k) + o.without(k)
	if o.Joins {
		sql = "DELETE " + k.Child + " FROM " + k.Child + o.without(k)
	}
	if found.Policy == rowferry.NullOrphans {
		if sql, err = o.clear(k, &found); err != nil {
			return false, err
		}
	}
	o.Completion.Found(found)
	return true, o.Change(sql)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// clear sets the columns of the key to NULL.
func (o *Orphanage) clear(k OrphanKey, found *rowferry.Orphans) (string, error) {
	var set []string
	for _, c := range k.Key.Columns {
		column := &k.Table.Columns[c]
		if !column.Nullable || column.Generated != schema.NotGenerated {
			why := "it is NOT NULL"
			if column.Nullable {
				why = "it is computed"
			}
			return "", rowferry.Errorf(rowferry.CodeRowRefused, "rows of the target have no parent, and their foreign key cannot be NULL").
				Fact("table", "%s", found.Table).Fact("key", "%s", found.Key).Fact("column", "%s: %s", column.Name, why).
				Fact("rows", "%d, the first are %s", found.Rows, strings.Join(found.Keys, ", ")).
				Remedy("leave them out", "orphans: skip, and the same command again").
				Remedy("mend", "give these rows their parents at the source, then start over")
		}
		if o.Joins {
			set = append(set, o.column(k, c)+" = NULL")
			continue
		}
		set = append(set, o.Quote(column.Name)+" = NULL")
	}
	if o.Joins {
		on, where := o.joined(k)
		return "UPDATE " + k.Child + on + " SET " + strings.Join(set, ", ") + where, nil
	}
	return "UPDATE " + o.child(k) + " SET " + strings.Join(set, ", ") + o.without(k), nil
}

// first returns what finds the first of the rows: their key, or else the foreign
// key's columns.
func (o *Orphanage) first(k OrphanKey) (keys []string, err error) {
	identity := k.Table.Identity()
	if identity == nil {
		identity = k.Key.Columns
	}
	var shown, order []string
	for _, i := range identity {
		name := o.column(k, i)
		shown, order = append(shown, o.Shown(&k.Table.Columns[i], name)), append(order, name)
	}
	sql := "SELECT " + strings.Join(shown, ", ") + " FROM " + o.child(k) + o.without(k) +
		" ORDER BY " + strings.Join(order, ", ") + " LIMIT " + strconv.Itoa(rowferry.MostOrphanKeys)
	err = o.Look(sql, len(identity), func(row []string) {
		parts := make([]string, len(row))
		for i, text := range row {
			parts[i] = k.Table.Columns[identity[i]].Name + "=" + Shorten(text)
		}
		keys = append(keys, strings.Join(parts, " "))
	})
	return keys, err
}

// child is the table as FROM names it, and column one of its columns.
func (o *Orphanage) child(k OrphanKey) string {
	if o.Joins {
		return k.Child
	}
	return k.Child + " AS c"
}

func (o *Orphanage) column(k OrphanKey, ordinal int) string {
	name := o.Quote(k.Table.Columns[ordinal].Name)
	if o.Joins {
		return k.Child + "." + name
	}
	return "c." + name
}

// without is the condition for rows of the child that have no parent. One with a
// NULL in its key needs none.
func (o *Orphanage) without(k OrphanKey) string {
	if o.Joins {
		on, where := o.joined(k)
		return on + where
	}
	var set, same []string
	for i, c := range k.Key.Columns {
		child := o.column(k, c)
		set = append(set, child+" IS NOT NULL")
		same = append(same, "p."+o.Quote(k.Key.Referenced[i])+" = "+child)
	}
	return " WHERE " + strings.Join(set, " AND ") + " AND NOT EXISTS (SELECT 1 FROM " + k.Parent + " p WHERE " + strings.Join(same, " AND ") + ")"
}

// joined is without as a join and its condition.
func (o *Orphanage) joined(k OrphanKey) (on, where string) {
	var set, same []string
	for i, c := range k.Key.Columns {
		child := o.column(k, c)
		set = append(set, child+" IS NOT NULL")
		same = append(same, "p."+o.Quote(k.Key.Referenced[i])+" = "+child)
	}
	return " LEFT JOIN " + k.Parent + " p ON " + strings.Join(same, " AND "),
		" WHERE " + strings.Join(set, " AND ") + " AND p." + o.Quote(k.Key.Referenced[0]) + " IS NULL"
}
