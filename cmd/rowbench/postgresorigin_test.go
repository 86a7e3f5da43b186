package main

import (
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// PostgreSQL takes every workload's statements, each transaction is one in its
// log, and whoever reads that by a slot of a turn gets all that came since the
// clock, whatever others have read before and whenever the slot was made.
func TestPostgresLog(t *testing.T) {
	for _, w := range postgresWorkloads() {
		t.Run(w.name, func(t *testing.T) {
			l, err := openLog(t.Context(), testdb.Postgres15, w, &options{seconds: 1, scale: tinyScale})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := l.close(); err != nil {
					t.Error(err)
				}
			}()
			origin := l.origin.(*postgresOrigin)
			early, err := origin.slot(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.grow(t.Context(), 300); err != nil {
				t.Fatal(err)
			}
			checkTransactions(t, l, early)
			if err := l.grow(t.Context(), 2*l.rows); err != nil {
				t.Fatal(err)
			}
			late, err := origin.slot(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			checkRows(t, l, late)
		})
	}
}

// checkRows reads all that came since the clock as the bench does.
func checkRows(t *testing.T, l *sourceLog, slot string) {
	t.Helper()
	job := decodeJob{Wire: true, URL: l.server.URL(postgresDatabase), Slot: slot, Rows: l.rows + int(l.marker)}
	d, err := job.decodeOurs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d.Rows != job.Rows {
		t.Errorf("%d rows by %s, want %d", d.Rows, slot, job.Rows)
	}
}

// checkTransactions requires that the log has as many as were written, which its
// Begin messages tell. They are gone from the slot then.
func checkTransactions(t *testing.T, l *sourceLog, slot string) {
	t.Helper()
	const query = `SELECT count(*) FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'bench')
		WHERE get_byte(data, 0) = ascii('B')`
	var got int
	if err := l.server.DB().QueryRowContext(t.Context(), query, slot).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := l.txs + int(l.marker); got != want {
		t.Errorf("%d transactions, want %d", got, want)
	}
}
