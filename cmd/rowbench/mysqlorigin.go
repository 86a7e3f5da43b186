package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/rowferry/rowferry/internal/testdb"
)

// mysqlOrigin is MySQL or MariaDB as a source.
type mysqlOrigin struct {
	server *testdb.Server
	// Where the log begins that runs against the clock.
	beginFile, beginOffset string
}

func (o *mysqlOrigin) open(ctx context.Context) (*sql.DB, error) {
	if err := o.server.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		return nil, err
	}
	config, err := mysql.ParseDSN(o.server.DSN(database))
	if err != nil {
		return nil, err
	}
	config.MultiStatements = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (o *mysqlOrigin) begin(ctx context.Context, mark func(context.Context) error) (err error) {
	if err := mark(ctx); err != nil {
		return err
	}
	o.beginFile, o.beginOffset, err = o.place(ctx)
	return err
}

func (o *mysqlOrigin) run(ctx context.Context, conn *sql.Conn, statements string) (sum int64, err error) {
	err = conn.Raw(func(c any) error {
		r, err := c.(driver.ExecerContext).ExecContext(ctx, statements, nil)
		if err != nil {
			return err
		}
		for _, n := range r.(mysql.Result).AllRowsAffected() {
			sum += n
		}
		return nil
	})
	return sum, err
}

// Dirty pages that are as good as none, and how long they are waited for.
const (
	fewPages     = 100
	restPatience = 2 * time.Minute
)

func (o *mysqlOrigin) rest(ctx context.Context) error {
	if err := o.server.Exec(ctx, "SET GLOBAL innodb_max_dirty_pages_pct_lwm = 0", "SET GLOBAL innodb_max_dirty_pages_pct = 0"); err != nil {
		return err
	}
	until := time.Now().Add(restPatience)
	err := await(ctx, otherEvery, func() (bool, error) {
		line, err := oneLine(ctx, o.server.DB(), "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
		if err != nil {
			return false, err
		}
		n, err := strconv.Atoi(line["Value"])
		return n <= fewPages || time.Now().After(until), err
	})
	return errors.Join(err, o.server.Exec(ctx, "SET GLOBAL innodb_max_dirty_pages_pct = 90"))
}

// reading is the same for both: the checkpoint says where to begin.
func (o *mysqlOrigin) reading(context.Context, string, bool) ([]string, error) {
	return []string{"--source", o.url()}, nil
}

// url is Rowferry's name for it.
func (o *mysqlOrigin) url() string {
	return fmt.Sprintf("%s://root@127.0.0.1:%d/%s", o.server.Kind.Flavor(), o.server.Port, database)
}

// place is the log's end, as file and offset.
func (o *mysqlOrigin) place(ctx context.Context) (file, offset string, err error) {
	query := "SHOW MASTER STATUS"
	if o.server.Kind.Flavor() == testdb.MySQL {
		query = "SHOW BINARY LOG STATUS"
	}
	line, err := oneLine(ctx, o.server.DB(), query)
	return line["File"], line["Position"], err
}
