package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry/schema"
)

// CreateType returns the statement that makes an enum or a composite type, or ""
// for a type that is neither.
func CreateType(u schema.UserType) string {
	var parts []string
	for _, l := range u.Labels {
		parts = append(parts, Literal(l))
	}
	for _, f := range u.Fields {
		parts = append(parts, Quote(f.Name)+" "+f.Native)
	}
	switch list := "(" + strings.Join(parts, ", ") + ")"; {
	case u.Extension != "":
		return ""
	case u.Labels != nil:
		return "CREATE TYPE " + u.Name + " AS ENUM " + list
	case u.Fields != nil:
		return "CREATE TYPE " + u.Name + " AS " + list
	default:
		return ""
	}
}

// UserType returns the type of a name that is quoted as schema.UserType's is, or
// nil where there is none. One that is neither enum nor composite has no more
// than its name and extension.
func UserType(ctx context.Context, conn *pgconn.PgConn, name string) (*schema.UserType, error) {
	var refs []typeRef
	err := Query(ctx, conn, "SELECT t.oid FROM pg_catalog.pg_type t WHERE t.oid = pg_catalog.to_regtype($1)", func(r Row) error {
		oid, err := r.Int(0)
		refs = append(refs, typeRef{oid: uint32(oid), mod: -1})
		return err
	}, name)
	if err != nil || len(refs) == 0 {
		return nil, err
	}
	c, err := readTypes(ctx, conn, refs)
	if err != nil {
		return nil, err
	}
	row := c.rows[refs[0].oid]
	if row == nil || row.class == "d" || row.array { // gone meanwhile, or another thing
		return &schema.UserType{Name: name}, nil
	}
	made, err := c.made(nil, refs[0].oid, map[uint32]bool{})
	if err != nil || len(made) == 0 {
		return &schema.UserType{Name: name}, err
	}
	return &made[len(made)-1], nil
}

// SameType reports whether the type that exists takes every value of the one that
// is wanted: an enum has all its labels, a composite type the same attributes.
func SameType(want, have schema.UserType) bool {
	missing := slices.ContainsFunc(want.Labels, func(l string) bool { return !slices.Contains(have.Labels, l) })
	switch {
	case want.Extension != "":
		return want.Extension == have.Extension
	case want.Labels != nil:
		return !missing
	case want.Fields != nil:
		return slices.Equal(want.Fields, have.Fields)
	default:
		return true
	}
}

// TypeSchema returns the schema of a type's quoted name.
func TypeSchema(name string) string {
	if !strings.HasPrefix(name, `"`) {
		space, _, _ := strings.Cut(name, ".")
		return space
	}
	end := 1
	for end < len(name) && (name[end] != '"' || strings.HasPrefix(name[end:], `""`)) {
		if name[end] == '"' {
			end++
		}
		end++
	}
	return strings.ReplaceAll(name[1:end], `""`, `"`)
}
