package postgres

import (
	"fmt"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// AddForeignKey returns the statement that adds the foreign key f to t. It is
// checked with each statement, and may be put off to the end of a transaction
// for changes that the source made with its checks off. Both of the source's
// actions that refuse become NO ACTION, since PostgreSQL cannot put RESTRICT
// off. With valid unset the rows that exist are not checked.
func AddForeignKey(t *schema.Table, f schema.ForeignKey, valid bool) string {
	sql := "ALTER TABLE " + QuoteTable(t.Name) + " ADD CONSTRAINT " + Quote(ForeignKeyName(t, f)) +
		" FOREIGN KEY (" + quoteAll(t.ColumnNames(f.Columns)) + ") REFERENCES " + QuoteTable(f.Parent) + " (" + quoteAll(f.Referenced) + ")"
	if f.OnDelete.Acts() {
		sql += " ON DELETE " + strings.ToUpper(string(f.OnDelete))
	}
	if f.OnUpdate.Acts() {
		sql += " ON UPDATE " + strings.ToUpper(string(f.OnUpdate))
	}
	sql += " DEFERRABLE INITIALLY IMMEDIATE"
	if !valid {
		sql += " NOT VALID"
	}
	return sql
}

// ForeignKeyName returns the name of the foreign key f of t.
func ForeignKeyName(t *schema.Table, f schema.ForeignKey) string {
	return ObjectName(t.Name.Table, "fk", quoteAll(t.ColumnNames(f.Columns))+" "+QuoteTable(f.Parent)+" "+quoteAll(f.Referenced))
}

// CascadeError says that a foreign key's action cannot be carried, so that
// child rows which the source changes without logging it would stay as they
// are in the target.
type CascadeError struct {
	Table  *schema.Table
	Key    schema.ForeignKey
	Reason string
}

func (e *CascadeError) Error() string {
	return fmt.Sprintf("foreign key of table %s to %s has an action and cannot be carried: %s", e.Table.Name, e.Key.Parent, e.Reason)
}
