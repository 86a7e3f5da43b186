package postgres

import (
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// opened is what Source.Open found out and made.
type opened struct {
	options  *Options
	version  int    // server_version_num
	system   string // the system identifier
	timeline uint32
	begin    lsn       // reading begins with the first commit after it
	anchor   anchor    // of begin
	end      lsn       // 0, or where the log ends: io.EOF once everything up to it was returned
	until    time.Time // zero, or: io.EOF before the first transaction that was committed after it

	slot, publication string
	// tables are those in scope, as the catalog has them now.
	tables []*dialect.SourceTable
	// queries is an ordinary session for questions to the catalog, stream one
	// with replication=database that is idle. They are the reader's from then on.
	queries, stream *pgconn.PgConn

	start rowferry.Start
	// awaited is a place in the log that somebody waits to see passed; nil or 0:
	// none.
	awaited *atomic.Uint64
	// tokens are what the log has to have for a copy.
	tokens *tokens
	// told takes the transactions that were told; nil: they are not noted.
	told *toldXIDs
}

func (o *opened) lineage() lineage { return lineage{o.timeline, o.system} }
