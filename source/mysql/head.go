package mysql

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

// The first bytes of a file: a binlog, and one that the server encrypted.
var (
	magicBinlog    = []byte{0xfe, 'b', 'i', 'n'}
	magicEncrypted = []byte{0xfd, 'b', 'i', 'n'}
)

// Checksum algorithms, the byte before the checksum of a format description.
const (
	checksumOff   = 0
	checksumCRC32 = 1
)

// head is what a file says of itself before its first transaction.
type head struct {
	srv      server
	checksum bool   // its events end in a CRC32
	lengths  []byte // of the fixed part of each event type, from type 1 on
	format   []byte // the format description as it was, naming no checksum
	events   uint64 // where the event after the format description starts
	started  uint32 // when its server started or reset the log, if with this file; else 0
	join     join   // how it fits the file that was read before it
	// What was in the log before this file; neither where the server is too
	// old to say.
	gtids  *gtidSet
	states *logState
}

// fixedLength returns the length of the fixed part of an event type, and
// whether the server that wrote the file knew the type.
func (h *head) fixedLength(t replication.EventType) (byte, bool) {
	if t < 1 || int(t) > len(h.lengths) {
		return 0, false
	}
	return h.lengths[t-1], true
}

// openHead opens a file and reads its head. The framer is left at the first
// event after the format description. A file cut within its head is a *cut.
func openHead(ctx context.Context, open opener, file logFile, index int, limit uint64) (_ *framer, _ *head, _ io.Closer, err error) {
	src, err := open(ctx, file.path)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, src.Close())
		}
	}()
	f := newFramer(src, place{index, file.name, 0}, limit)
	if err := f.magic(file); err != nil {
		return nil, nil, nil, err
	}
	h, err := f.describe(file)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := f.history(h); err != nil {
		return nil, nil, nil, err
	}
	return f, h, src, f.seek(h.events)
}

// magic reads the first four bytes.
func (f *framer) magic(file logFile) error {
	b, err := f.r.Peek(int(min(f.size, magicSize)))
	if err != nil {
		return f.readError(err)
	}
	switch {
	case bytes.Equal(b, magicEncrypted):
		return encrypted(file)
	case len(b) < magicSize && bytes.HasPrefix(magicBinlog, b):
		return &cut{f.at, f.size}
	case !bytes.Equal(b, magicBinlog):
		return rowferry.Errorf(rowferry.CodeNotABinlog, "%s is not a binlog", file.path).
			Fact("starts with", "%x", b).Fact("a binlog starts with", "%x", magicBinlog)
	}
	return f.seek(magicSize)
}

func encrypted(file logFile) error {
	return rowferry.Errorf(rowferry.CodeEncryptedLog, "%s is encrypted by its server", file.path).
		Remedy("read it through the server", "mysqlbinlog --read-from-remote-server --raw --host=… %s", file.name)
}

// describe reads the format description, the first event of every file; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Format__description__event.html
func (f *framer) describe(file logFile) (*head, error) {
	at := f.at
	hd, err := f.peek()
	switch {
	case errors.Is(err, io.EOF):
		return nil, &cut{at, 0}
	case err != nil:
		return nil, err
	case hd.typ != replication.FORMAT_DESCRIPTION_EVENT:
		return nil, corruptAt(at, "the first event is a %s, not a format description", typeName(hd.typ))
	case hd.size > 1<<16:
		return nil, corruptAt(at, "a format description of %d bytes", hd.size)
	}
	e, err := f.next(hd)
	if err != nil {
		return nil, err
	}
	const fixed = 2 + 50 + 4 + 1
	b := e.body()
	if len(b) < fixed+1+checksumSize || binary.LittleEndian.Uint16(b) != replication.MinBinlogVersion || b[fixed-1] != headerSize {
		return nil, rowferry.Errorf(rowferry.CodeCorruptLog, "%s has a format description that is not of version 4", file.name).Fact("at", "%s", at)
	}
	version, _, _ := bytes.Cut(b[2:52], []byte{0})
	h := &head{srv: parseServer(string(version)), events: f.at.off, format: bytes.Clone(e.raw)}
	if !h.srv.checksums() {
		return nil, corruptAt(at, "it was written by %q, which is not a version of a server this program knows (MySQL from 5.6.1, MariaDB from 5.3)", version)
	}
	n := len(b) - checksumSize
	h.started = binary.LittleEndian.Uint32(b[2+50:])
	h.lengths = bytes.Clone(b[fixed : n-1])
	switch alg := b[n-1]; alg {
	case checksumOff, checksumCRC32:
		h.checksum = alg == checksumCRC32
	default:
		return nil, corruptAt(at, "the format description names checksum algorithm %d", alg)
	}
	if want, got := binary.LittleEndian.Uint32(b[n:]), eventCRC(e.raw[:len(e.raw)-checksumSize]); want != got {
		return nil, corruptAt(at, "the checksum is %08x and should be %08x", got, want).Fact("event", "%s", typeName(hd.typ))
	}
	h.format[len(h.format)-checksumSize-1] = checksumOff
	f.checksum = h.checksum
	return h, nil
}

// checksums reports whether the server's format descriptions name a checksum
// algorithm: MySQL from 5.6.1 and MariaDB from 5.3 on. Older logs are not read:
// a damaged version would pass for one, and with it everything unchecked.
func (s server) checksums() bool {
	if s.mariadb {
		return s.atLeast(5, 3, 0)
	}
	return s.atLeast(5, 6, 1)
}

func (s server) atLeast(major, minor, patch int) bool {
	switch {
	case s.major != major:
		return s.major > major
	case s.minor != minor:
		return s.minor > minor
	default:
		return s.patch >= patch
	}
}

// history reads the events that say what precedes the file. A file that is
// cut there has no transactions, which whoever reads on will find.
func (f *framer) history(h *head) error {
	for {
		hd, err := f.peek()
		if _, short := err.(*cut); short || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch hd.typ {
		case replication.PREVIOUS_GTIDS_EVENT, replication.MARIADB_GTID_LIST_EVENT, replication.MARIADB_START_ENCRYPTION_EVENT:
		default:
			return nil
		}
		e, err := f.next(hd)
		if err != nil {
			return err
		}
		switch hd.typ {
		case replication.PREVIOUS_GTIDS_EVENT:
			h.gtids, err = parsePreviousGTIDs(e)
			return err
		case replication.MARIADB_GTID_LIST_EVENT:
			h.states, err = parseGTIDList(e)
			return err
		default:
			if f.size == endless {
				continue // a server sends what it has encrypted in plain
			}
			return encrypted(logFile{path: f.at.name, name: f.at.name})
		}
	}
}

// wholeHead makes an error of a head that is cut, where there is nothing else
// to read.
func wholeHead(err error) error {
	if short := (*cut)(nil); errors.As(err, &short) {
		return corruptAt(short.at, "the file ends before its first transaction")
	}
	return err
}
