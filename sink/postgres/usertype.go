package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// makeTypes makes the enums and composite types of a table that is to be made,
// where they are missing, and checks those that are there.
func (s *Sink) makeTypes(ctx context.Context, t *schema.Table) error {
	return s.eachType(ctx, t, nil, func(u schema.UserType) error {
		create := dialect.CreateType(u)
		if create == "" {
			return unfit(t, u, "does not exist in the target, and cannot be made from what the source tells")
		}
		if err := s.ensureSchema(ctx, dialect.TypeSchema(u.Name)); err != nil {
			return err
		}
		if err := s.run(ctx, create); err != nil {
			return err
		}
		return s.run(ctx, "COMMENT ON TYPE "+u.Name+" IS "+dialect.Literal(dialect.MadeComment))
	})
}

// checkTypes checks the types of a table's columns that are of the very type
// which they have at the source.
func (s *Sink) checkTypes(ctx context.Context, t *schema.Table, x *dialect.Existing) error {
	return s.eachType(ctx, t, x, func(u schema.UserType) error {
		return unfit(t, u, "is not in the target any more")
	})
}

// eachType checks every type that somebody made and that columns of the table
// are of, once. Missing is called for one that is not there.
func (s *Sink) eachType(ctx context.Context, t *schema.Table, x *dialect.Existing, missing func(schema.UserType) error) error {
	checked := map[string]bool{}
	for _, c := range t.Columns {
		if x != nil && (len(c.Type.User) == 0 || x.Columns[x.Shape.Column(c.Name)].Declared != c.Type.Native) {
			continue
		}
		for _, u := range c.Type.User {
			if checked[u.Name] {
				continue
			}
			checked[u.Name] = true
			conn, err := s.session(ctx)
			if err != nil {
				return err
			}
			have, err := dialect.UserType(ctx, conn, u.Name)
			switch {
			case err != nil:
				return s.translate(ctx, err)
			case have == nil:
				err = missing(u)
			case !dialect.SameType(u, *have):
				err = differing(t, u, *have)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// unfit is the refusal of a table one of whose types is not as it has to be.
func unfit(t *schema.Table, u schema.UserType, what string) *rowferry.Error {
	e := rowferry.Errorf(rowferry.CodeTableDiffers, "a type of the source %s", what).
		Fact("table", "%s", t.Name).Fact("type", "%s", u.Name)
	switch create := dialect.CreateType(u); {
	case u.Extension != "":
		e.Remedy("make it", "CREATE EXTENSION %s SCHEMA %s", dialect.Quote(u.Extension), dialect.Quote(dialect.TypeSchema(u.Name)))
	case create != "":
		e.Remedy("as the source has it", "%s", create)
	default:
		e.Remedy("make it", "CREATE TYPE %s …, as pg_dump --schema-only shows it at the source", u.Name)
	}
	return e
}

func differing(t *schema.Table, want, have schema.UserType) *rowferry.Error {
	e := unfit(t, want, "is another in the target").Fact("source", "%s", outline(want)).Fact("target", "%s", outline(have))
	if want.Labels != nil && have.Labels != nil {
		e.Remedies = nil
		for _, l := range want.Labels {
			if !dialect.SameType(schema.UserType{Labels: []string{l}}, have) {
				e.Remedy("add the label", "ALTER TYPE %s ADD VALUE %s", want.Name, dialect.Literal(l))
			}
		}
	}
	return e
}

// outline returns a type for people.
func outline(u schema.UserType) string {
	fields := make([]string, len(u.Fields))
	for i, f := range u.Fields {
		fields[i] = f.Name + " " + f.Native
	}
	switch {
	case u.Extension != "":
		return "of the extension " + u.Extension
	case u.Labels != nil:
		return fmt.Sprintf("enum %q", u.Labels)
	case u.Fields != nil:
		return "(" + strings.Join(fields, ", ") + ")"
	default:
		return "neither an enum nor a composite type"
	}
}
