package mysql

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-mysql-org/go-mysql/replication"
)

// The command and its flags; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_binlog_dump.html
const (
	comRegisterSlave = 0x15
	comBinlogDump    = 0x12
	dumpNonBlock     = 0x01 // end where the log ends, instead of waiting for more
	// dumpExtras asks MySQL for heartbeats that can tell places beyond 4 GiB,
	// and MariaDB for the statements behind rows, which it would leave out.
	dumpExtras = 0x02

	statusOK    = 0x00
	statusEnd   = 0xfe
	statusError = 0xff

	// dumpBuffer is what is read ahead of the network.
	dumpBuffer = 256 << 10
	// maxMark bounds the events that are not in the log: they name a file.
	maxMark = 32 << 10
)

// errIdle says that the server has sent all there is.
var errIdle = errors.New("the log has nothing more at present")

// dump is what a server sends of its log: the bytes of one file after the
// other from a place on. Events that are not in the log, but say where we are
// or that nothing happens, are taken out of it.
type dump struct {
	log    *liveLog
	c      *conn
	ctx    context.Context // bounds the wait for the network
	in     packets
	file   string // that is being sent
	next   string // the file that follows, once all of file was sent
	off    uint64 // of the next byte
	left   uint64 // bytes of the open event
	first  uint64 // where the server was asked to begin
	ends   bool   // where the log ends
	seen   []byte // the format description that came first, if it is not from its place
	failed error  // what read returns from now on
}

// start asks for the log from a place on. id 0 is nobody: such a dump is no
// replica, and ends where the log ends.
func (l *liveLog) dump(ctx context.Context, file string, off uint64, id uint32, ends bool) (_ *dump, err error) {
	c, err := dial(ctx, l.life, l.opt.Endpoint)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := l.introduce(ctx, c, id); err != nil {
		return nil, err
	}
	d := &dump{log: l, c: c, ctx: ctx, file: file, off: off, first: off, ends: ends || id == 0}
	if off > l.far {
		d.off, d.first = magicSize, magicSize
	}
	b := make([]byte, packetHeader, packetHeader+11+len(file))
	b = append(b, comBinlogDump)
	b = binary.LittleEndian.AppendUint32(b, uint32(d.first))
	flags := uint16(dumpExtras)
	if d.ends {
		flags |= dumpNonBlock
	}
	b = binary.LittleEndian.AppendUint16(b, flags)
	b = binary.LittleEndian.AppendUint32(b, id)
	b = append(b, file...)
	c.ResetSequence()
	if err := c.WritePacket(b); err != nil {
		return nil, c.translate(ctx, err)
	}
	d.in = packets{r: bufio.NewReaderSize(dumpInput{d}, dumpBuffer), number: 1}
	return d, d.discard(off - d.off)
}

// introduce tells the server what it gets to send to.
func (l *liveLog) introduce(ctx context.Context, c *conn, id uint32) error {
	beat := max(1, min(l.opt.Endpoint.Wait()/3, maxBeat).Nanoseconds())
	set := fmt.Sprintf("SET @source_binlog_checksum='CRC32', @master_binlog_checksum='CRC32', @source_heartbeat_period=%d, @master_heartbeat_period=%d, @mariadb_slave_capability=4", beat, beat)
	if id != 0 {
		set += fmt.Sprintf(", @replica_uuid='%s', @slave_uuid='%s'", l.uuid, l.uuid)
	}
	if _, err := c.query(ctx, set); err != nil || id == 0 {
		return err
	}
	b := make([]byte, packetHeader, 64)
	b = append(b, comRegisterSlave)
	b = binary.LittleEndian.AppendUint32(b, id)
	b = append(b, byte(len(l.label)))
	b = append(b, l.label...)
	b = append(b, 0, 0)       // user, password: of a server to be asked, which we are not
	b = append(b, 0, 0)       // port
	b = append(b, 0, 0, 0, 0) // rank
	b = append(b, 0, 0, 0, 0) // of its source: filled in by the server
	c.ResetSequence()
	if err := c.WritePacket(b); err != nil {
		return c.translate(ctx, err)
	}
	defer c.During(ctx)()
	reply, err := c.ReadPacket()
	if err == nil && len(reply) > 0 && reply[0] == statusError {
		err = parseServerError(reply)
	}
	if err != nil {
		return c.translate(ctx, err)
	}
	return nil
}

// dumpInput is the network as a dump reads it.
type dumpInput struct{ d *dump }

func (i dumpInput) Read(b []byte) (int, error) {
	ctx := i.d.ctx
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	i.d.c.watch(ctx)
	n, err := i.d.c.Conn.Conn.Conn.Read(b)
	if n > 0 {
		return n, nil // the error comes again
	}
	if err != nil {
		err = translate(ctx, err)
	}
	return n, err
}

// read reads bytes of the file. io.EOF is the end of the file, or of the log;
// errIdle is no error. It does not wait where it has bytes to return.
func (d *dump) read(b []byte) (n int, err error) {
	if d.failed != nil || d.next != "" {
		return 0, d.end()
	}
	for n < len(b) {
		if d.left == 0 {
			if n > 0 && !d.plain() {
				return n, nil
			}
			if err = d.event(); err != nil {
				break
			}
		} else if n > 0 && d.in.r.Buffered() == 0 {
			return n, nil
		}
		m, err := d.in.Read(b[n:min(uint64(len(b)), uint64(n)+d.left)])
		n += m
		d.off += uint64(m)
		d.left -= uint64(m)
		if errors.Is(err, io.EOF) {
			err = d.fail(corruptAt(place{name: d.file, off: d.off}, "the server sent less of an event than its size"))
		}
		if err != nil {
			return n, err
		}
		if d.left > 0 {
			continue
		}
		if over, err := d.in.over(); err != nil {
			return n, d.fail(err)
		} else if !over {
			return n, d.fail(corruptAt(place{name: d.file, off: d.off}, "the server sent more of an event than its size"))
		}
	}
	return n, err
}

func (d *dump) end() error {
	if d.failed != nil {
		return d.failed
	}
	return io.EOF
}

func (d *dump) fail(err error) error {
	d.failed = err
	return err
}

// plain reports whether an event of the log has arrived, at least its header.
func (d *dump) plain() bool {
	if d.in.r.Buffered() < packetHeader+1+headerSize {
		return false
	}
	_, b, err := d.in.peek(1 + headerSize)
	return err == nil && b[0] == statusOK && !d.marks(parseHeader(b[1:]))
}

// marks reports whether an event is not one of the log's.
func (d *dump) marks(h header) bool {
	switch h.typ {
	case replication.HEARTBEAT_EVENT, replication.HEARTBEAT_LOG_EVENT_V2:
		return true
	case replication.FORMAT_DESCRIPTION_EVENT, replication.MARIADB_START_ENCRYPTION_EVENT:
		return d.off > magicSize && d.off == d.first && h.pos == 0
	default:
		return h.flags&replication.LOG_EVENT_ARTIFICIAL_F != 0
	}
}

// event begins the next event of the file. What is not the log's it takes
// before that. io.EOF is the end of the file, or of the log; errIdle may be
// asked again.
func (d *dump) event() error {
	for {
		size, b, err := d.in.peek(1)
		if err != nil {
			return err
		}
		switch b[0] {
		case statusOK:
		case statusEnd, statusError:
			return d.fail(d.ended(size))
		default:
			return d.fail(translate(d.ctx, fmt.Errorf("a packet of type %d", b[0])))
		}
		if _, b, err = d.in.peek(1 + headerSize); err != nil {
			return err
		}
		h := parseHeader(b[1:])
		if h.size < headerSize || size < packetMax && uint64(h.size)+1 != size {
			return d.fail(corruptAt(place{name: d.file, off: d.off}, "the server sent an event of %d bytes in a packet of %d", h.size, size))
		}
		if d.marks(h) {
			if err := d.mark(h); err != nil {
				return err
			}
			continue
		}
		if d.log.caughtUp.Load() != 0 {
			d.log.caughtUp.Store(0)
		}
		if err := d.in.begin(); err != nil {
			return d.fail(translate(d.ctx, err))
		}
		if _, err := d.in.r.Discard(1); err != nil {
			return d.fail(err)
		}
		d.in.left--
		d.left = uint64(h.size)
		return d.follows(h)
	}
}
