package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry/schema"
)

// SourceTable stands in for the catalog's.
type SourceTable struct {
	OID             uint32
	Table           *schema.Table
	Columns         []SourceColumn
	Identity        byte
	IdentityColumns []int
	Kind            string
	Root            uint32
	Odd             []string
	Deferrable      bool
}

// SourceColumn stands in for the catalog's.
type SourceColumn struct {
	Number    int
	TypeOID   uint32
	Mod       int
	Generated bool
}

// SourceOptions stand in for the catalog's.
type SourceOptions struct{ PublishGenerated bool }

// ReadSource stands in for the catalog's.
func ReadSource(context.Context, *pgconn.PgConn, []uint32, SourceOptions) ([]*SourceTable, error) {
	return nil, nil
}
