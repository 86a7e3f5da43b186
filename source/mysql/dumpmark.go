package mysql

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

// mark takes an event that is not one of the log's, whole: waiting for it may
// be cut short without harm.
//
//	HEARTBEAT            nothing more at present; it names the place up to which all was sent
//	ROTATE               the file from which the server sends on, and the place in it
//	FORMAT_DESCRIPTION   the file's, sent first where the server begins elsewhere
//	GTID_LIST, STOP      MariaDB's own to its replicas
//	START_ENCRYPTION     likewise; what follows has been decrypted
//
// Others stop by name.
func (d *dump) mark(h header) error {
	if h.size > maxMark {
		return d.fail(d.corrupt("%s of %d bytes", typeName(h.typ), h.size))
	}
	_, b, err := d.in.peek(1 + int(h.size))
	if err != nil {
		return err
	}
	raw := bytes.Clone(b[1:])
	if err := d.in.begin(); err != nil {
		return d.fail(err)
	}
	if _, err := d.in.r.Discard(int(d.in.left)); err != nil {
		return d.fail(err)
	}
	d.in.left = 0
	n := len(raw) - checksumSize
	if n >= headerSize && eventCRC(raw[:n]) == binary.LittleEndian.Uint32(raw[n:]) {
		raw = raw[:n:n] // whether there is one depends on more than the log
	}
	e := unframed(h, raw, d.at(), d.at())
	switch h.typ {
	case replication.HEARTBEAT_EVENT, replication.HEARTBEAT_LOG_EVENT_V2:
		err = d.beat(e)
	case replication.ROTATE_EVENT:
		err = d.rotate(e)
	case replication.FORMAT_DESCRIPTION_EVENT:
		d.seen = e.raw
		return nil
	case replication.MARIADB_GTID_LIST_EVENT, replication.STOP_EVENT, replication.MARIADB_START_ENCRYPTION_EVENT:
		return nil
	default:
		err = rowferry.Errorf(rowferry.CodeUnknownEvent, "the server made up an event that is not known").
			Fact("event", "%s", typeName(h.typ)).Fact("at", "%s", e.start)
	}
	if err != nil && !errors.Is(err, errIdle) && !errors.Is(err, io.EOF) {
		return d.fail(err)
	}
	return err
}

func (d *dump) at() place { return place{name: d.file, off: d.off} }

func (d *dump) corrupt(format string, args ...any) *rowferry.Error {
	return corruptAt(d.at(), format, args...)
}

// rotate takes the ROTATE that names the file from which the server sends on:
// at first the one that was asked for, later the one that follows.
func (d *dump) rotate(e *event) error {
	name, err := parseRotate(e)
	if err != nil {
		return err
	}
	at := binary.LittleEndian.Uint64(e.body())
	switch {
	case name == d.file && at == d.first:
		return nil
	case name != d.file && at == magicSize:
		d.next = name
		return io.EOF
	default:
		return rowferry.Errorf(rowferry.CodeLineageBroken, "the server sends its log from another place than the one that was asked for").
			Fact("asked for", "%s", d.at()).Fact("sent", "%s", filePosition(name, at))
	}
}

// beat takes a heartbeat. It names the end of what the server has sent, which
// is where we are.
func (d *dump) beat(e *event) error {
	file, off, err := parseHeartbeat(e)
	if err != nil {
		return err
	}
	if file != d.file || uint32(off) != uint32(d.off) {
		return rowferry.Errorf(rowferry.CodeLineageBroken, "the server says that its log was read up to another place than it was").
			Fact("read", "%s", d.at()).Fact("server says", "%s", filePosition(file, off))
	}
	d.log.caughtUp.Store(time.Now().UnixNano())
	return errIdle
}

// Fields of a HEARTBEAT_LOG_EVENT_V2; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Heartbeat__event__v2.html
const (
	heartbeatEnd  = 0
	heartbeatFile = 1
	heartbeatPos  = 2
)

// parseHeartbeat reads the place that a heartbeat names; of the first version
// the offset is modulo 4 GiB.
func parseHeartbeat(e *event) (file string, off uint64, err error) {
	if e.typ == replication.HEARTBEAT_EVENT {
		return string(e.body()), uint64(e.pos), nil
	}
	in := &input{b: e.body()}
	for in.err == nil {
		kind := in.lenenc()
		if in.err != nil || kind == heartbeatEnd {
			break
		}
		value := &input{b: in.bytes(in.lenenc())}
		switch kind {
		case heartbeatFile:
			file = string(value.rest())
		case heartbeatPos:
			off = value.lenenc()
		default: // later versions may say more
		}
		in.err = errors.Join(in.err, value.err)
	}
	if in.err != nil || file == "" {
		return "", 0, e.corrupt("%v", in.err)
	}
	return file, off, nil
}

// follows checks that an event is where the log has it, as far as it says so:
// events carry 32 bits of where they end (M38), and 0 within groups of some
// servers (M5).
func (d *dump) follows(h header) error {
	if h.pos == 0 || h.pos == uint32(d.off)+h.size {
		return nil
	}
	return d.fail(d.corrupt("the server sent an event that ends at %d (modulo 4 GiB), and left something out before it", h.pos).
		Fact("event", "%s", typeName(h.typ)).Fact("size", "%d", h.size))
}

// ended tells what the server's last packet means.
func (d *dump) ended(size uint64) error {
	if size > maxMark {
		return d.corrupt("an answer of %d bytes", size)
	}
	_, b, err := d.in.peek(int(size))
	if err != nil {
		return err
	}
	if b[0] == statusError {
		return translate(d.ctx, parseServerError(b))
	}
	if d.ends {
		return io.EOF
	}
	return translate(d.ctx, fmt.Errorf("the server ended it"))
}

// advance goes on with the file that follows.
func (d *dump) advance() {
	d.file, d.next, d.off, d.first = d.next, "", magicSize, magicSize
}

// discard passes over bytes.
func (d *dump) discard(n uint64) error {
	b := make([]byte, min(n, dumpBuffer))
	for n > 0 {
		m, err := d.read(b[:min(n, uint64(len(b)))])
		n -= uint64(m)
		if errors.Is(err, io.EOF) {
			return rowferry.Errorf(rowferry.CodePositionOutside, "%s ends before the position", d.file).Fact("ends at", "%s", d.at())
		}
		if err != nil && !errors.Is(err, errIdle) {
			return err
		}
	}
	return nil
}
