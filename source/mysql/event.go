package mysql

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

// headerSize and checksumSize frame every event of a version 4 log; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html
const (
	headerSize   = 19
	checksumSize = 4
	magicSize    = 4
)

// place is an offset in one of the log's files. Offsets are counted by us:
// the 32 bits that events carry wrap at 4 GiB (M38), and are 0 within a group
// of MariaDB (M5).
type place struct {
	file int    // index into the sequence of files
	name string // the file's name without directory
	off  uint64
}

func (p place) String() string { return filePosition(p.name, p.off) }

func (p place) append(dst []byte) []byte {
	return strconv.AppendUint(append(append(dst, p.name...), ':'), p.off, 10)
}

func (p place) before(o place) bool {
	return p.file < o.file || p.file == o.file && p.off < o.off
}

// header is what every event starts with.
type header struct {
	time   uint32 // seconds
	typ    replication.EventType
	server uint32
	size   uint32 // of the whole event
	pos    uint32 // where the event ends, by the server's own count
	flags  uint16
}

func parseHeader(b []byte) header {
	return header{
		time:   binary.LittleEndian.Uint32(b),
		typ:    replication.EventType(b[4]),
		server: binary.LittleEndian.Uint32(b[5:]),
		size:   binary.LittleEndian.Uint32(b[9:]),
		pos:    binary.LittleEndian.Uint32(b[13:]),
		flags:  binary.LittleEndian.Uint16(b[17:]),
	}
}

// event is one event of the log, taken out of its frame.
type event struct {
	header
	// raw is header and body without the checksum, the size in the header
	// being that of raw. It is valid until the next event is asked for.
	raw []byte
	// start and end are where the event lies in its file. An event out of a
	// compressed transaction has the place of the whole payload.
	start, end place
	packed     bool // out of a compressed transaction
	final      bool // the last one of it, whose checksum was right
}

func (e *event) body() []byte { return e.raw[headerSize:] }

// corruptAt returns the error for an event whose content makes no sense.
func corruptAt(at place, format string, args ...any) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeCorruptLog, "the log is corrupt at %s: %s", at, fmt.Sprintf(format, args...)).
		Fact("at", "%s", at)
}

// corrupt is corruptAt for one event.
func (e *event) corrupt(format string, args ...any) *rowferry.Error {
	return corruptAt(e.start, "%s", fmt.Sprintf(format, args...)).Fact("event", "%s", typeName(e.typ))
}

// typeName names an event type for people, its number included.
func typeName(t replication.EventType) string { return fmt.Sprintf("%s (%d)", t, uint8(t)) }
