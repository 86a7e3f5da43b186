package mysql

import (
	"errors"
	"time"
)

var errShort = errors.New("it is too short for what it says")

// input reads an event's fields in order. The first read past the end sets
// err; what is read after that is zero. Nothing is allocated.
type input struct {
	b   []byte
	err error
}

func (in *input) bytes(n uint64) []byte {
	if in.err != nil || n > uint64(len(in.b)) {
		in.err = errShort
		return nil
	}
	v := in.b[:n:n]
	in.b = in.b[n:]
	return v
}

func (in *input) rest() []byte { return in.bytes(uint64(len(in.b))) }

// uint reads a little-endian integer of up to 8 bytes.
func (in *input) uint(n uint64) uint64 {
	var v uint64
	for i, x := range in.bytes(n) {
		v |= uint64(x) << (8 * i)
	}
	return v
}

// lenenc reads MySQL's length-encoded integer; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html
func (in *input) lenenc() uint64 {
	switch first := in.uint(1); first {
	case 0xfb, 0xff:
		in.err = errShort
		return 0
	case 0xfc:
		return in.uint(2)
	case 0xfd:
		return in.uint(3)
	case 0xfe:
		return in.uint(8)
	default:
		return first
	}
}

// varlen reads the variable-length unsigned integer of mysql::serialization:
// as many low one bits as further bytes; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/PageLibsMysqlSerialization.html
func (in *input) varlen() uint64 {
	first := in.uint(1)
	n := uint64(1)
	for first&1 == 1 && n < 9 {
		first >>= 1
		n++
	}
	if n == 9 {
		return in.uint(8)
	}
	return first>>1 | in.uint(n-1)<<(8-n)
}

func (in *input) signed() int64 {
	v := in.varlen()
	if v&1 == 1 {
		return -1 - int64(v>>1)
	}
	return int64(v >> 1)
}

// parsePreviousGTIDs reads a PREVIOUS_GTIDS_EVENT: a GTID set in MySQL's
// encoding, untagged or, from 8.3 on, with tags; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/classGtid__set.html
func parsePreviousGTIDs(e *event) (*gtidSet, error) {
	in := &input{b: e.body()}
	var set gtidSet
	head := in.uint(8)
	// The tagged format has a one in the first and the last byte and the
	// count between them.
	tagged := head>>56 == 1
	count := head
	if tagged {
		count = head >> 8 & (1<<48 - 1)
	}
	for range count {
		var k sid
		copy(k.uuid[:], in.bytes(16))
		if tagged {
			k.tag = string(in.bytes(in.varlen()))
			if in.err == nil && k.tag != "" && !validTag(k.tag) {
				return nil, e.corrupt("%q is not a tag", k.tag)
			}
		}
		for range in.uint(8) {
			lo, end := in.uint(8), in.uint(8)
			if in.err != nil {
				break
			}
			if lo < 1 || end <= lo || end-1 > maxGNO {
				return nil, e.corrupt("it has an interval from %d to %d", lo, end)
			}
			set.addInterval(k, interval{lo, end - 1})
		}
		if in.err != nil {
			break
		}
	}
	if in.err != nil {
		return nil, e.corrupt("%v", in.err)
	}
	return &set, nil
}

// parseGTIDList reads MariaDB's GTID_LIST_EVENT; within a domain the last one
// comes last. See https://mariadb.com/kb/en/gtid_list_event/
func parseGTIDList(e *event) (*logState, error) {
	in := &input{b: e.body()}
	s := newLogState()
	for range in.uint(4) & (1<<28 - 1) {
		g := domainGTID{domain: uint32(in.uint(4)), server: uint32(in.uint(4))}
		g.seq = in.uint(8)
		if in.err != nil {
			return nil, e.corrupt("%v", in.err)
		}
		s.add(g)
	}
	if in.err != nil {
		return nil, e.corrupt("%v", in.err)
	}
	return &s, nil
}

// txName is what an event says that starts a transaction.
type txName struct {
	gtid   gtid       // MySQL; zero where anonymous
	domain domainGTID // MariaDB
	named  bool       // gtid or domain is set
	commit time.Time  // zero where the event does not say

	standalone bool // MariaDB: one statement, no COMMIT
	prepares   bool // MariaDB: ends in XA PREPARE
	alterBegin bool // MariaDB: first half of a two-phase ALTER
	alterUndo  bool // MariaDB: that ALTER failed
}

func (n *txName) append(dst []byte) []byte {
	if n.domain != (domainGTID{}) {
		return n.domain.append(dst)
	}
	return n.gtid.append(dst)
}

// parseGTID reads MySQL's GTID_EVENT and ANONYMOUS_GTID_EVENT; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Gtid__event.html
func parseGTID(e *event) (n txName, err error) {
	in := &input{b: e.body()}
	in.uint(1) // flags
	copy(n.gtid.uuid[:], in.bytes(16))
	n.gtid.gno = in.uint(8)
	const logicalClock, commitLength = 2, 7
	if len(in.b) >= 17+commitLength && in.uint(1) == logicalClock {
		in.bytes(16) // last committed, sequence number
		if us := in.uint(commitLength) &^ (1 << 55); us > 0 {
			n.commit = time.UnixMicro(int64(us)).UTC()
		}
	}
	if in.err != nil {
		return n, e.corrupt("%v", in.err)
	}
	return n, nil
}

// name checks a MySQL GTID that must not be anonymous.
func (n *txName) name(e *event) error {
	if n.gtid.gno < 1 || n.gtid.gno > maxGNO || n.gtid.tag != "" && !validTag(n.gtid.tag) {
		return e.corrupt("%s is not a GTID", n.gtid)
	}
	n.named = true
	return nil
}

// Fields of a tagged GTID event. A field that is 0 or optional may be left
// out; those after these are of no use here.
const (
	taggedFlags = iota
	taggedUUID
	taggedGNO
	taggedTag
	taggedLastCommitted
	taggedSequence
	taggedImmediateCommit
)

// parseTaggedGTID reads MySQL's GTID_TAGGED_LOG_EVENT (8.3 and newer), which
// is a message of mysql::serialization.
func parseTaggedGTID(e *event) (n txName, err error) {
	in := &input{b: e.body()}
	in.varlen() // version of the format
	in.varlen() // size
	in.varlen() // last field that may not be ignored
	for in.err == nil && len(in.b) > 0 {
		id := in.varlen()
		if id > taggedImmediateCommit {
			break
		}
		switch id {
		case taggedFlags:
			in.varlen()
		case taggedUUID:
			for i := range n.gtid.uuid {
				n.gtid.uuid[i] = byte(in.varlen())
			}
		case taggedGNO:
			n.gtid.gno = uint64(in.signed())
		case taggedTag:
			n.gtid.tag = string(in.bytes(in.varlen()))
		case taggedLastCommitted, taggedSequence:
			in.signed()
		case taggedImmediateCommit:
			if us := in.varlen(); us > 0 && us < 1<<55 {
				n.commit = time.UnixMicro(int64(us)).UTC()
			}
		}
	}
	if in.err != nil {
		return n, e.corrupt("%v", in.err)
	}
	return n, n.name(e)
}

// Flags of MariaDB's GTID event, and of its extra byte; see
// https://mariadb.com/kb/en/gtid_event/
const (
	mariaStandalone  = 0x01
	mariaGroupCommit = 0x02
	mariaPreparedXA  = 0x40
	mariaCompletedXA = 0x80

	extraMultiEngine   = 0x01
	extraStartAlter    = 0x02
	extraCommitAlter   = 0x04
	extraRollbackAlter = 0x08
)

// parseDomainEvent reads MariaDB's GTID_EVENT.
func parseDomainEvent(e *event) (n txName, err error) {
	in := &input{b: e.body()}
	n.domain.seq = in.uint(8)
	n.domain.domain = uint32(in.uint(4))
	n.domain.server = e.server
	flags := in.uint(1)
	n.named = true
	n.standalone = flags&mariaStandalone != 0
	n.prepares = flags&mariaPreparedXA != 0
	if flags&mariaGroupCommit != 0 {
		in.bytes(8)
	}
	if flags&(mariaPreparedXA|mariaCompletedXA) != 0 {
		in.bytes(4)
		in.bytes(in.uint(1) + in.uint(1))
	}
	if in.err != nil {
		return n, e.corrupt("%v", in.err)
	}
	if len(in.b) > 0 {
		extra := in.uint(1)
		n.alterBegin = extra&extraStartAlter != 0
		n.alterUndo = extra&extraRollbackAlter != 0
	}
	return n, nil
}

// parseRotate reads the name of the next file.
func parseRotate(e *event) (string, error) {
	in := &input{b: e.body()}
	in.bytes(8)
	name := string(in.rest())
	if in.err != nil || name == "" {
		return "", e.corrupt("it names no file")
	}
	return name, nil
}

// rowsHead is what precedes the rows of a rows event.
type rowsHead struct {
	table   uint64
	flags   uint16
	columns uint64
	before  []byte // which columns the images have: a bit per column
	after   []byte // of updates
	fixed   []byte // all of it from the flags on, as it is
	rows    []byte // what follows, which MariaDB may have compressed
}

// parseRowsHead reads a rows event of version 1 or 2; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Rows__event.html
func parseRowsHead(e *event, h *head) (r rowsHead, err error) {
	in := &input{b: e.body()}
	fixed, ok := h.fixedLength(e.typ)
	if !ok {
		return r, e.corrupt("its file does not describe the type")
	}
	r.table = in.uint(tableNumberSize(fixed))
	content := in.b
	r.flags = uint16(in.uint(2))
	if fixed == rowsV2Fixed {
		extra := in.uint(2)
		if extra < 2 {
			return r, e.corrupt("it has %d bytes of extra data", extra)
		}
		in.bytes(extra - 2)
	}
	r.columns = in.lenenc()
	if r.columns > maxColumns {
		return r, e.corrupt("it has %d columns", r.columns)
	}
	width := (r.columns + 7) / 8
	r.before = in.bytes(width)
	if kind, _ := rowsKind(e.typ); kind == digestUpdate || kind == digestPartial {
		r.after = in.bytes(width)
	}
	r.rows = in.rest()
	if in.err != nil {
		return r, e.corrupt("%v", in.err)
	}
	r.fixed = content[:len(content)-len(r.rows)]
	return r, nil
}

// rowsV2Fixed is the length of the fixed part of rows events that have extra
// data: version 2.
const rowsV2Fixed = 10

// tableNumberSize returns how many bytes a table's number takes, by the length
// of an event's fixed part: 4 before MySQL 5.1.4.
func tableNumberSize(fixed byte) uint64 {
	if fixed == 6 {
		return 4
	}
	return 6
}

// parseMapHead reads which table a TABLE_MAP_EVENT is about; rest is what
// follows the table's number.
func parseMapHead(e *event, h *head) (id uint64, db, table string, rest []byte, err error) {
	id, d, t, rest, err := parseMapNames(e, h)
	return id, string(d), string(t), rest, err
}

// parseMapNames is parseMapHead with names that are parts of the event.
func parseMapNames(e *event, h *head) (id uint64, db, table, rest []byte, err error) {
	in := &input{b: e.body()}
	fixed, ok := h.fixedLength(e.typ)
	if !ok {
		return 0, nil, nil, nil, e.corrupt("its file does not describe the type")
	}
	id = in.uint(tableNumberSize(fixed))
	rest = in.b
	in.uint(2)
	db = in.bytes(in.uint(1))
	in.uint(1)
	table = in.bytes(in.uint(1))
	in.uint(1)
	if in.err != nil {
		return 0, nil, nil, nil, e.corrupt("%v", in.err)
	}
	return id, db, table, rest, nil
}
