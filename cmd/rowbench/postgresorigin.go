package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rowferry/rowferry/internal/testdb"
)

// PostgreSQL has the tables in a schema of this database, on all sides.
const postgresDatabase = "postgres"

// Of a PostgreSQL source's log: what tells of the tables, and the slots that are
// never read, but copied: a slot that was read does not go back, and the log
// before it is gone.
const (
	publication = database
	allSlot     = "bench_all"   // made before the tables
	clockSlot   = "bench_clock" // made before the last transaction before the clock
	turnSlots   = "bench_turn_" // and a number, of one reader each
)

// postgresOrigin is PostgreSQL as a source.
type postgresOrigin struct {
	server *testdb.Server
	slots  int // that were made for readers
	// Where the log begins that runs against the clock, and where it ends, in
	// bytes.
	beginAt, endAt int64
}

func (o *postgresOrigin) open(ctx context.Context) (*sql.DB, error) {
	err := o.server.Exec(ctx, "CREATE SCHEMA "+database,
		fmt.Sprintf("CREATE PUBLICATION %s FOR TABLES IN SCHEMA %s", publication, database), makingSlot(allSlot))
	if err != nil {
		return nil, err
	}
	return openSchema(o.server)
}

func makingSlot(name string) string {
	return "SELECT pg_create_logical_replication_slot('" + name + "', 'pgoutput')"
}

// openSchema returns sessions in which the bench's tables need no schema.
func openSchema(s *testdb.Server) (*sql.DB, error) {
	return sql.Open("pgx", s.DSN(postgresDatabase)+"&search_path="+database)
}

// begin makes the slot first, so that whoever has the marker is not behind it;
// and rests before that, so that what that logs is not read on the clock.
func (o *postgresOrigin) begin(ctx context.Context, mark func(context.Context) error) (err error) {
	if err := o.rest(ctx); err != nil {
		return err
	}
	if err := o.server.Exec(ctx, makingSlot(clockSlot)); err != nil {
		return err
	}
	if err := mark(ctx); err != nil {
		return err
	}
	o.beginAt, err = o.logged(ctx)
	return err
}

// logged is how long the log is.
func (o *postgresOrigin) logged(ctx context.Context) (bytes int64, err error) {
	err = o.server.DB().QueryRowContext(ctx, "SELECT (pg_current_wal_lsn() - '0/0')::bigint").Scan(&bytes)
	return bytes, err
}

func (o *postgresOrigin) run(ctx context.Context, conn *sql.Conn, statements string) (sum int64, err error) {
	err = conn.Raw(func(c any) error {
		results, err := c.(*stdlib.Conn).Conn().PgConn().Exec(ctx, statements).ReadAll()
		for _, r := range results {
			sum += r.CommandTag.RowsAffected()
		}
		return err
	})
	return sum, err
}

// rest also does what autovacuum would do at its own time.
func (o *postgresOrigin) rest(ctx context.Context) (err error) {
	if o.endAt, err = o.logged(ctx); err != nil {
		return err
	}
	return o.server.Exec(ctx, "VACUUM (ANALYZE)", "CHECKPOINT")
}

func (o *postgresOrigin) reading(ctx context.Context, dir string, all bool) ([]string, error) {
	slot, err := o.slot(ctx, all)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "bench.yaml")
	text := fmt.Sprintf("source: {url: '%s', slot: %s, publication: %s}\n", o.server.URL(postgresDatabase), slot, publication)
	return []string{"--config", path}, os.WriteFile(path, []byte(text), 0o600)
}

// slot makes a slot for one reader, like one that was made when the log that it
// is to read was not there yet, and drops those that nobody reads any more.
func (o *postgresOrigin) slot(ctx context.Context, all bool) (name string, err error) {
	from := clockSlot
	if all {
		from = allSlot
	}
	o.slots++
	name = fmt.Sprintf("%s%d", turnSlots, o.slots)
	err = o.server.Exec(ctx,
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND starts_with(slot_name, '"+turnSlots+"')",
		fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s', '%s')", from, name))
	if err != nil {
		return "", errors.Join(errors.New("a slot for a turn"), err)
	}
	return name, nil
}
