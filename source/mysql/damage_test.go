package mysql

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

// rawEvent is an event as it lies in a file.
type rawEvent struct {
	typ        replication.EventType
	start, end int
	inside     bool // a transaction is open after it
}

// eventsOf lists a file's events by sizes alone. Which of them leave a
// transaction open is told by what the servers of the tests write.
func eventsOf(t testing.TB, data []byte) []rawEvent {
	t.Helper()
	var all []rawEvent
	begun, named := false, false
	for off := magicSize; off < len(data); {
		h := parseHeader(data[off:])
		e := rawEvent{typ: h.typ, start: off, end: off + int(h.size)}
		query := string(data[e.start:e.end])
		switch h.typ {
		case replication.GTID_EVENT, replication.ANONYMOUS_GTID_EVENT, replication.GTID_TAGGED_LOG_EVENT:
			named = true
		case replication.MARIADB_GTID_EVENT:
			standalone := data[off+headerSize+12]&1 != 0
			named, begun = true, !standalone
		case replication.XID_EVENT, replication.TRANSACTION_PAYLOAD_EVENT, replication.XA_PREPARE_LOG_EVENT:
			begun, named = false, false
		case replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT:
			switch {
			case strings.Contains(query, "\x00BEGIN") || strings.Contains(query, "\x00XA START"):
				begun = true
			case strings.Contains(query, "\x00COMMIT") || strings.Contains(query, "\x00ROLLBACK") && !strings.Contains(query, "\x00ROLLBACK TO"):
				begun, named = false, false
			case !begun:
				named = false
			}
		}
		e.inside = begun || named
		all = append(all, e)
		off = e.end
	}
	return all
}

// resum changes one event and makes its checksum right again.
func resum(data []byte, e rawEvent, change func(event []byte)) []byte {
	c := bytes.Clone(data)
	raw := c[e.start:e.end]
	change(raw)
	sum := raw[len(raw)-checksumSize:]
	binary.LittleEndian.PutUint32(sum, eventCRC(raw[:len(raw)-checksumSize]))
	return c
}

func find(t testing.TB, data []byte, types ...replication.EventType) rawEvent {
	t.Helper()
	for _, e := range eventsOf(t, data) {
		if slices.Contains(types, e.typ) {
			return e
		}
	}
	t.Fatalf("the log has no event of type %v", types)
	return rawEvent{}
}

// dumpFile is the schema of everyKind after its first file.
func dumpFile(t testing.TB) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "dump.sql")
	must(t, os.WriteFile(p, []byte("CREATE DATABASE `d`;\nUSE `d`;\n"+
		"CREATE TABLE `p` (`id` int NOT NULL, `v` varchar(4000) DEFAULT NULL, PRIMARY KEY (`id`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;\n"+
		"CREATE TABLE `m` (`id` int NOT NULL, PRIMARY KEY (`id`)) ENGINE=MyISAM DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;\n"+
		"CREATE TABLE `ctas` (`id` int NOT NULL, `v` varchar(4000) DEFAULT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;\n"), 0o600))
	return p
}

// A last file that is cut anywhere ends cleanly after its last whole
// transaction, and says what is left; in front of another file it stops.
func TestCutAnywhere(t *testing.T) {
	for name := range logKinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := recorded(t, name)
			all := log.read(Options{Scope: notOther})
			must(t, all.err)
			want := text(all.txs)
			f := log[1] // as the last
			events := eventsOf(t, f.data)
			for size := max(events[0].end, len(f.data)-4096); size <= len(f.data); size++ {
				got := log[:2].with(1, f.data[:size]).read(Options{Scope: notOther, ChunkBytes: 300})
				at := slices.IndexFunc(events, func(e rawEvent) bool { return e.end == size })
				clean := at >= 0 && !events[at].inside
				noticed := len(got.notices) == 1 && strings.Contains(got.notices[0], f.name)
				if got.err != nil || !strings.HasPrefix(want, text(got.txs)) || clean && len(got.notices) > 0 || !clean && !noticed {
					t.Fatalf("%s cut at %d (clean: %v): %v, notices %q", f.name, size, clean, got.err, got.notices)
				}
				// Every transaction that ends before the cut is there.
				if n := wholeBefore(all.txs, f.name, size); len(done(got.txs)) != n {
					t.Fatalf("%s cut at %d: %d transactions, want %d", f.name, size, len(done(got.txs)), n)
				}
			}
			for _, size := range []int{len(log[1].data) - 60, len(log[1].data) - 1, 3, 0, eventsOf(t, log[1].data)[0].end} {
				got := log.with(1, log[1].data[:size]).read(Options{Scope: notOther})
				if code := rowferry.CodeOf(got.err); code != rowferry.CodeTruncatedLog && code != rowferry.CodeLogMissing || !strings.HasPrefix(want, text(got.txs)) {
					t.Errorf("second of three files cut at %d: %v", size, got.err)
				}
			}
		})
	}
}

func done(txs []*rowferry.Tx) []*rowferry.Tx {
	return slices.DeleteFunc(slices.Clone(txs), func(x *rowferry.Tx) bool { return !x.Last })
}

// wholeBefore counts the transactions that end at or before a place.
func wholeBefore(txs []*rowferry.Tx, file string, off int) int {
	n := 0
	for _, x := range txs {
		p, err := ParsePosition(x.Log)
		if err == nil && (p.File < file || p.File == file && p.Offset <= uint64(off)) {
			n++
		}
	}
	return n
}

// A file that was allocated ahead ends where its zeros begin.
func TestZeroTail(t *testing.T) {
	log := recorded(t, "mysql")
	last := len(log) - 1
	all := log.read(Options{Scope: notOther})
	must(t, all.err)
	for _, n := range []int{1, 18, 19, 100, 1 << 20} {
		padded := append(bytes.Clone(log[last].data), make([]byte, n)...)
		got := log.with(last, padded).read(Options{Scope: notOther})
		if got.err != nil || text(got.txs) != text(all.txs) || len(got.notices) != 1 {
			t.Errorf("%d zeros: %d transactions of %d, %v, %q", n, len(got.txs), len(all.txs), got.err, got.notices)
		}
	}
	padded := append(bytes.Clone(log[last].data), make([]byte, 1<<20)...)
	padded[len(padded)-1] = 1
	if got := log.with(last, padded).read(Options{Scope: notOther}); rowferry.CodeOf(got.err) != rowferry.CodeCorruptLog {
		t.Errorf("something after zeros: %v", got.err)
	}
}

// The server marks the file it is writing, in place, after it has written the
// checksum.
func TestFileInUse(t *testing.T) {
	for _, name := range []string{"mysql", "mysql full", "mariadb"} {
		log := recorded(t, name)
		all := log.read(Options{Scope: notOther})
		data := bytes.Clone(log[2].data)
		data[magicSize+17] ^= byte(replication.LOG_EVENT_BINLOG_IN_USE_F)
		got := log.with(2, data).read(Options{Scope: notOther})
		if got.err != nil || text(got.txs) != text(all.txs) {
			t.Errorf("%s: %d transactions of %d, %v", name, len(got.txs), len(all.txs), got.err)
		}
	}
}

// A bit that is flipped anywhere in a log with checksums is found, or what
// follows it counts as cut off: no transaction is ever another.
func TestFlipAnywhere(t *testing.T) {
	for _, name := range []string{"mysql", "mysql compressed", "mariadb", "mariadb compressed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := recorded(t, name)
			all := log.read(Options{Scope: notOther, ChunkBytes: 300})
			must(t, all.err)
			want := text(all.txs)
			for i, f := range log {
				events := eventsOf(t, f.data)
				for off := range f.data {
					data, bit := bytes.Clone(f.data), byte(1)<<(off%8)
					data[off] ^= bit
					got := log.with(i, data).read(Options{Scope: notOther, ChunkBytes: 300})
					inUse := off == events[0].start+17 && bit == 0x01
					found := got.err != nil || len(got.notices) > 0
					if !strings.HasPrefix(want, text(got.txs)) || !found != inUse {
						t.Fatalf("byte %d of %s flipped by %02x: %v, notices %q", off, f.name, bit, got.err, got.notices)
					}
				}
			}
		})
	}
}

// A size that reaches beyond the file, in an event that does not say that it
// ends there, is not a cut.
func TestSizeLies(t *testing.T) {
	for _, name := range []string{"mysql full", "mariadb unsummed"} {
		log := recorded(t, name)[:1]
		data := bytes.Clone(log[0].data)
		e := find(t, data, replication.TABLE_MAP_EVENT)
		data[e.start+9+2] = 1
		if got := log.with(0, data).read(Options{Scope: notOther}); rowferry.CodeOf(got.err) != rowferry.CodeCorruptLog || len(got.notices) > 0 {
			t.Errorf("%s: %v, %q", name, got.err, got.notices)
		}
	}
}

// Whatever is different in a transaction makes another lineage.
func TestLineageTells(t *testing.T) {
	for _, name := range []string{"mysql", "mariadb", "mysql anonymous"} {
		log := recorded(t, name)
		all := log.read(Options{Scope: notOther})
		must(t, all.err)
		replace := func(old, by string) func([]byte) {
			return func(b []byte) {
				i := bytes.LastIndex(b, []byte(old))
				if i < 0 || len(old) != len(by) {
					t.Fatalf("%q is not in the event", old)
				}
				copy(b[i:], by)
			}
		}
		writes := []replication.EventType{replication.WRITE_ROWS_EVENTv1, replication.WRITE_ROWS_EVENTv2}
		updates := []replication.EventType{replication.UPDATE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv2}
		for what, c := range map[string]struct {
			change func([]byte)
			types  []replication.EventType
		}{
			"a value":   {replace("one", "onE"), writes},
			"an image":  {replace("zwei", "ZWEI"), updates},
			"a table":   {replace("\x01p\x00", "\x01q\x00"), []replication.EventType{replication.TABLE_MAP_EVENT}},
			"operation": {func(b []byte) { b[4] += 2 }, writes}, // to a delete
			"statement": {replace("DATABASE d", "DATABASE D"), []replication.EventType{replication.QUERY_EVENT}},
		} {
			events := eventsOf(t, log[0].data)
			i := slices.IndexFunc(events, func(e rawEvent) bool {
				return slices.Contains(c.types, e.typ) && (what != "statement" || bytes.Contains(log[0].data[e.start:e.end], []byte("DATABASE d")))
			})
			changed := log.with(0, resum(log[0].data, events[i], c.change))
			n := slices.IndexFunc(all.txs, func(x *rowferry.Tx) bool {
				p, err := ParsePosition(x.Log)
				return err == nil && p.Offset > uint64(events[i].start)
			})
			tx := all.txs[n]
			start := rowferry.Start{Position: tx.Position, Lineage: tx.Lineage}
			if got := readFrom(log.source(Options{Scope: notOther}), start); got.err != nil {
				t.Errorf("%s: unchanged: %v", name, got.err)
			}
			if got := readFrom(changed.source(Options{Scope: notOther}), start); rowferry.CodeOf(got.err) != rowferry.CodeLineageBroken || len(got.txs) > 0 {
				t.Errorf("%s: %s changed: %d transactions, %v", name, what, len(got.txs), got.err)
			}
		}
	}
}
