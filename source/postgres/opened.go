package postgres

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
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
	// text is set once the log has to be read in text format. binary is set where it
	// is read in binary format, which takes the server less work: the columns of all
	// tables in scope are of types that are known in that.
	text   *atomic.Bool
	binary bool
	// told takes the transactions that were told; nil: they are not noted.
	told *toldXIDs
}

// textOnly returns a column that is not known in binary format; nil: all are.
func textOnly(t *schema.Table) *schema.Column {
	for i := range t.Columns {
		if !binaryKnown(&t.Columns[i].Type) {
			return &t.Columns[i]
		}
	}
	return nil
}

// chooseFormat decides in which format the log is read.
func (o *opened) chooseFormat() {
	o.binary = !o.text.Load() && !slices.ContainsFunc(o.tables, func(t *dialect.SourceTable) bool { return textOnly(t.Table) != nil })
}

// needsText is the error of a table that has come and cannot be read in binary
// format: the source is to be opened anew, and reads it as text.
func (o *opened) needsText(t *schema.Table, c *schema.Column) error {
	o.text.Store(true)
	return rowferry.Errorf(rowferry.CodeSourceAway, "the log is read again from the last position on, in text format").
		Fact("table", "%s", t.Name).Fact("column", "%s, of type %s", c.Name, c.Type.Native)
}

func (o *opened) lineage() lineage { return lineage{o.timeline, o.system} }
