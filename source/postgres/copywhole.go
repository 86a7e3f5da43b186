package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
)

// snapshotQuery says what the open transaction sees: its text is
// "xmin:xmax:xip,…", of transactions in 64 bits. What is below xmin has ended,
// what is not below xmax or is one of xip has not
// (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT).
const snapshotQuery = "SELECT pg_current_snapshot()::text"

// ReadWhole reads a table in one snapshot. See rowferry.ChunkReader.
func (r *chunkReader) ReadWhole(ctx context.Context, ct *rowferry.CopyTable, each func([]rowferry.Row) error) (rowferry.Snapshot, error) {
	t, err := r.copy.table(ct)
	if err != nil {
		return "", err
	}
	q, err := t.readQuery(nil, nil)
	if err != nil {
		return "", err
	}
	r.saw = ""
	if err := r.snapshot(ctx, t, []*copyQuery{q}, nil, each); err != nil {
		return "", err
	}
	if _, err := parseSnapshot(r.saw); err != nil {
		return "", err
	}
	signed, err := r.sign(ctx)
	return rowferry.Snapshot(r.saw + "@" + signed.String()), err
}

// snapshot is what pg_current_snapshot says.
type snapshot struct {
	min, max uint64
	open     []uint64 // of those between
}

func parseSnapshot(text string) (s snapshot, err error) {
	parts := strings.Split(text, ":")
	bad := func(err error) (snapshot, error) {
		return snapshot{}, rowferry.Errorf(rowferry.CodeBadPosition, "%q is no snapshot of PostgreSQL: %w", shorten(text), err)
	}
	if len(parts) != 3 {
		return bad(fmt.Errorf("it has %d parts", len(parts)))
	}
	if s.min, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return bad(err)
	}
	if s.max, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return bad(err)
	}
	for _, x := range strings.FieldsFunc(parts[2], func(c rune) bool { return c == ',' }) {
		xid, err := strconv.ParseUint(x, 10, 64)
		if err != nil {
			return bad(err)
		}
		s.open = append(s.open, xid)
	}
	return s, nil
}

// sees reports whether a transaction had ended. The log has the low half of its
// number; it is less than 2^31 away from the snapshot's, on either side.
func (s snapshot) sees(xid uint32) bool {
	full := s.max + uint64(int64(int32(xid-uint32(s.max))))
	return full < s.max && (full < s.min || !slices.Contains(s.open, full))
}

// Saw reports whether a snapshot saw a transaction. See rowferry.Copier.
func (s *Source) Saw(tx, _ string, seen rowferry.Snapshot) (bool, error) {
	text, _, _ := strings.Cut(string(seen), "@")
	snapshot, err := parseSnapshot(text)
	if err != nil {
		return false, err
	}
	words := strings.Fields(tx) // as reader.begin writes them
	if len(words) < 2 || words[0] != "xid" {
		return false, rowferry.Errorf(rowferry.CodeInternal, "the transaction %q has no number", tx)
	}
	xid, err := strconv.ParseUint(words[1], 10, 32)
	if err != nil {
		return false, rowferry.Errorf(rowferry.CodeInternal, "the transaction %q has no number: %w", tx, err)
	}
	return snapshot.sees(uint32(xid)), nil
}
