package mysql

import (
	"context"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// ReadWhole reads a table in one snapshot. See rowferry.ChunkReader. Only MariaDB
// tells where in its log a snapshot is. The Snapshot is the server and that place.
func (r *chunkReader) ReadWhole(ctx context.Context, t *rowferry.CopyTable, each func([]rowferry.Row) error) (rowferry.Snapshot, error) {
	if !t.Whole {
		return "", rowferry.Errorf(rowferry.CodeInternal, "table %s is read whole, and the server does not tell what a snapshot sees", t.Shape.Name)
	}
	if err := r.table(t); err != nil {
		return "", err
	}
	sql, err := r.query.read(nil, nil)
	if err != nil {
		return "", err
	}
	for look := 1; ; look++ {
		place := ""
		err := r.snapshot(ctx, func() (err error) { place, err = r.place(ctx); return err }, []string{sql}, each)
		if rowferry.CodeOf(err) != rowferry.CodeXA || place != "" || look == xaLooks {
			return rowferry.Snapshot(r.self + " " + place), err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(xaPause):
		}
	}
}

// place returns where in the log the open snapshot is: behind every transaction
// that it sees, and before every other, but for XA transactions in their second
// phase, beside which it is refused.
func (r *chunkReader) place(ctx context.Context) (string, error) {
	at := map[string]string{}
	err := r.conn.Each(ctx, "SHOW SESSION STATUS LIKE 'binlog_snapshot_%'", func(row [][]byte) error {
		at[strings.ToLower(string(row[0]))] = string(row[1])
		return nil
	})
	if err != nil {
		return "", err
	}
	var prepared answer
	err = r.conn.Each(ctx, "XA RECOVER", func(row [][]byte) error {
		prepared = append(prepared, []string{string(row[len(row)-1])})
		return nil
	})
	if err == nil && len(prepared) > 0 {
		err = refusePrepared(prepared)
	}
	if err != nil {
		return "", err
	}
	return at["binlog_snapshot_file"] + ":" + at["binlog_snapshot_position"], nil
}

// Saw reports whether a snapshot saw a transaction. See rowferry.Copier.
func (s *liveSource) Saw(tx, log string, seen rowferry.Snapshot) (bool, error) {
	self, place, _ := strings.Cut(string(seen), " ")
	s.mu.Lock()
	same := s.self == self
	s.mu.Unlock()
	if !same {
		return false, rowferry.Errorf(rowferry.CodeLineageBroken, "the source is another server than the one whose tables are being copied").
			Fact("copied from", "%s", self).Fact("transaction", "%s", tx).
			Remedy("start over", "rowferry destroy, then run again into empty tables")
	}
	order, known, err := logOrder(log, place)
	if err == nil && !known {
		err = rowferry.Errorf(rowferry.CodeLineageBroken, "the files of the source's log have other names than they had").Fact("was", "%s", place).Fact("is", "%s", log)
	}
	return order <= 0, err
}
