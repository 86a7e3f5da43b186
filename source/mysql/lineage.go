package mysql

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
	"github.com/go-mysql-org/go-mysql/replication"
)

// digest sums up what a transaction did, so that a position can be tied to it.
// The lineage of a transaction is its name, a space and the 16 hexadecimal
// digits of a 64-bit xxHash over its events in order, of which each gives
//
//	rows       the event's type without version and compression (1 write, 2
//	           update, 3 delete, 4 partial update), database and table, and
//	           all that follows the table's number, decompressed
//	statement  5, the default database and the text; for those that begin or
//	           commit a transaction nothing
//	rollback   6, at the end of a transaction that was rolled back
//
// with the length before each variable part (8 bytes, lowest first). Table
// numbers, offsets, checksums, annotations, times and compression are left
// out: the same transaction of the same server has the same lineage whether
// its log is compressed or not. A server that logs it anew as a replica may
// cut row events otherwise; that is another lineage.
type digest struct{ h *xxhash.Digest }

// Kinds of parts in a digest.
const (
	digestWrite = iota + 1
	digestUpdate
	digestDelete
	digestPartial
	digestStatement
	digestRollback
)

func (d *digest) reset() {
	if d.h == nil {
		d.h = xxhash.New()
	}
	d.h.Reset()
}

func (d *digest) kind(k byte) { _, _ = d.h.Write([]byte{k}) }

func (d *digest) part(s string) {
	d.length(len(s))
	_, _ = d.h.WriteString(s)
}

func (d *digest) length(n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	_, _ = d.h.Write(b[:])
}

func (d *digest) statement(db string, text []byte) {
	d.kind(digestStatement)
	d.part(db)
	d.length(len(text))
	_, _ = d.h.Write(text)
}

// rows adds a rows event. A compressed one is inflated for it.
func (d *digest) rows(kind byte, db, table string, fixed, rows []byte) {
	d.kind(kind)
	d.part(db)
	d.part(table)
	d.length(len(fixed) + len(rows))
	_, _ = d.h.Write(fixed)
	_, _ = d.h.Write(rows)
}

// appendLineage appends the lineage of a transaction after its name.
func (d *digest) appendLineage(dst []byte) []byte {
	const digits = "0123456789abcdef"
	sum := d.h.Sum64()
	dst = append(dst, ' ')
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[sum>>shift&15])
	}
	return dst
}

// rowsKind returns what a rows event does, and whether MariaDB compressed it;
// 0 for what is not a rows event of version 1 or 2.
func rowsKind(t replication.EventType) (kind byte, compressed bool) {
	switch t {
	case replication.WRITE_ROWS_EVENTv1, replication.WRITE_ROWS_EVENTv2:
		return digestWrite, false
	case replication.UPDATE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv2:
		return digestUpdate, false
	case replication.DELETE_ROWS_EVENTv1, replication.DELETE_ROWS_EVENTv2:
		return digestDelete, false
	case replication.PARTIAL_UPDATE_ROWS_EVENT:
		return digestPartial, false
	case replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1:
		return digestWrite, true
	case replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1:
		return digestUpdate, true
	case replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1:
		return digestDelete, true
	default:
		return 0, false
	}
}
