package mysql

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// quote returns ident as a quoted SQL identifier.
func quote(ident string) string { return "`" + strings.ReplaceAll(ident, "`", "``") + "`" }

func quoteName(n schema.Name) string { return quote(n.Schema) + "." + quote(n.Table) }

func quoteAll(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = quote(n)
	}
	return strings.Join(q, ", ")
}

// home returns the database of the checkpoint table.
func (s *Sink) home() string {
	if d := s.options.Endpoint.Database; d != "" {
		return d
	}
	return "rowferry"
}

func (s *Sink) checkpointName() schema.Name {
	return schema.Name{Schema: s.home(), Table: sqlsink.CheckpointTable}
}

// place returns where a table lives on the server.
func (s *Sink) place(n schema.Name) schema.Name {
	if n.Schema == "" {
		n.Schema = s.options.Endpoint.Database
	}
	return n
}

// nameProblem returns why no table, database or column of MySQL can have the
// name, or "" (https://dev.mysql.com/doc/refman/9.7/en/identifiers.html).
func nameProblem(ident string) string {
	last, _ := utf8.DecodeLastRuneInString(ident)
	switch {
	case ident == "":
		return "is empty"
	case !utf8.ValidString(ident):
		return "is not UTF-8"
	case utf8.RuneCountInString(ident) > 64:
		return "is longer than the 64 characters MySQL takes"
	case strings.ContainsRune(ident, 0):
		return "holds a NUL character"
	case strings.ContainsFunc(ident, func(r rune) bool { return r > 0xFFFF }):
		return "holds a character beyond U+FFFF, which MySQL takes in no name"
	case strings.ContainsRune(" \t\n\v\f\r", last):
		return "ends in white space, which MySQL takes in no name"
	}
	return ""
}

// checkNames refuses a shape with names that the server cannot have, or would
// take for others.
func (s *Sink) checkNames(t *schema.Table) error {
	place := s.place(t.Name)
	refuse := func(what, name, why string) error {
		return rowferry.Errorf(rowferry.CodeNameRefused, "the target cannot have a %s of this name: it %s", what, why).
			Fact(what, "%q", name).Fact("table", "%s", t.Name).Remedy("another name", "entities: {db.table: {to: other}}")
	}
	if place.Schema == "" {
		return rowferry.Errorf(rowferry.CodeNameRefused, "the table belongs to no database: neither its name nor the target's URL names one").
			Fact("table", "%s", t.Name)
	}
	if why := nameProblem(place.Schema); why != "" {
		return refuse("database", place.Schema, why)
	}
	if why := nameProblem(place.Table); why != "" {
		return refuse("table", place.Table, why)
	}
	seen := map[string]string{}
	for _, c := range t.Columns {
		if why := nameProblem(c.Name); why != "" {
			return refuse("column", c.Name, why)
		}
		fold := strings.ToLower(c.Name)
		if other, ok := seen[fold]; ok {
			return rowferry.Errorf(rowferry.CodeNameCollision, "two columns have names that differ only in case, which MySQL ignores").
				Fact("table", "%s", t.Name).Fact("columns", "%s, %s", other, c.Name)
		}
		seen[fold] = c.Name
	}
	return s.checkCollision(t, place)
}

// checkCollision refuses a name that is taken: by Rowferry's own table, or by
// another table of the pipeline where the server ignores case.
func (s *Sink) checkCollision(t *schema.Table, place schema.Name) error {
	fold := s.server.foldName(place)
	if sqlsink.Own(place.Table) {
		return rowferry.Errorf(rowferry.CodeNameCollision, "the name is that of one of Rowferry's own tables").
			Fact("table", "%s", t.Name).Remedy("another name", "entities: {db.table: {to: other}}")
	}
	if other, ok := s.folded[fold]; ok && other != t.Name {
		return rowferry.Errorf(rowferry.CodeNameCollision, "two tables have names that are one to this server").
			Fact("table", "%s", t.Name).Fact("other", "%s", other).Fact("lower_case_table_names", "%s", map[bool]string{true: "case is ignored", false: "0"}[s.server.foldCase]).
			Remedy("another name", "entities: {db.%s: {to: other}}", t.Name)
	}
	s.folded[fold] = t.Name
	return nil
}

// keyName returns a key's own name where MySQL can have it and it is not taken,
// else one made of what the key is about.
func keyName(name, label, about string, taken map[string]bool) string {
	fold := strings.ToLower(name)
	if nameProblem(name) != "" || fold == "primary" || taken[fold] {
		sum := sha256.Sum256([]byte(label + "\x00" + name + "\x00" + about))
		name = label + "_" + hex.EncodeToString(sum[:8])
		fold = name
	}
	taken[fold] = true
	return name
}
