package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// words builds a message of numbers, big-endian, and texts.
func words(kind byte, fields ...any) []byte {
	b := []byte{kind}
	for _, f := range fields {
		switch v := f.(type) {
		case byte:
			b = append(b, v)
		case int16:
			b = binary.BigEndian.AppendUint16(b, uint16(v))
		case int32:
			b = binary.BigEndian.AppendUint32(b, uint32(v))
		case int64:
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		case string:
			b = append(b, v...)
		}
	}
	return b
}

// seeds are messages as a server sends them.
func seeds() [][]byte {
	tuple := words('N', int16(2), byte('t'), int32(1), "7", byte('t'), int32(3), "abc")
	relation := []any{int32(42), "public\x00t\x00", byte('d'), int16(2), byte(1), "id\x00", int32(23), int32(-1), byte(0), "v\x00", int32(25), int32(-1)}
	return [][]byte{
		words(msgBegin, int64(100), int64(5), int32(9)),
		words(msgRelation, relation...),
		words(msgInsert, int32(42), string(tuple)),
		words(msgInsert, int32(42), string(words('N', int16(2), byte('b'), int32(4), int32(7), byte('b'), int32(3), "abc"))),
		words(msgUpdate, int32(42), string(words('K', int16(2), byte('t'), int32(1), "6", byte('n'))), string(tuple)),
		words(msgUpdate, int32(42), string(words('O', int16(2), byte('t'), int32(1), "6", byte('t'), int32(1), "x")), string(words('N', int16(2), byte('t'), int32(1), "6", byte('u')))),
		words(msgDelete, int32(42), string(words('K', int16(2), byte('t'), int32(1), "6", byte('n')))),
		words(msgTruncate, int32(1), byte(1), int32(42)),
		words(msgType, int32(50), "public\x00mood\x00"),
		words(msgOrigin, int64(1), "o\x00"),
		words(msgCommit, byte(0), int64(100), int64(110), int64(5)),
		words(msgStreamStart, int32(11), byte(1)),
		words(msgRelation, append([]any{int32(11)}, relation...)...),
		words(msgInsert, int32(11), int32(42), string(tuple)),
		words(msgInsert, int32(12), int32(42), string(tuple)),
		words(msgStreamStop),
		words(msgStreamAbort, int32(11), int32(12)),
		words(msgStreamAbort, int32(13), int32(14), int64(1), int64(2)),
		words(msgStreamCommit, int32(11), byte(0), int64(200), int64(210), int64(6)),
		words(msgLogical, byte(0), int64(1), "p\x00", int32(1), "x"),
	}
}

// fuzzReader is a reader of what is given to it, which knows one table.
func fuzzReader(conn net.Conn) *reader {
	x := &dialect.SourceTable{OID: 42, Identity: 'd', IdentityColumns: []int{0}, Columns: []dialect.SourceColumn{{TypeOID: 23, Mod: -1}, {TypeOID: 25, Mod: -1}},
		Table: &schema.Table{Name: schema.Name{Schema: "public", Table: "t"}, PrimaryKey: []int{0}, Columns: []schema.Column{
			{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 32, Native: "integer"}}, {Name: "v", Type: schema.Type{Kind: schema.Text, Native: "text"}}}}}
	o := opened{options: &Options{Scope: func(n schema.Name) bool { return n.Table == "t" }}, begin: 1, tokens: &tokens{}, tables: []*dialect.SourceTable{x}}
	r := &reader{opened: o, last: 1, moved: time.Now(), from: "1/1@", chunk: 200, in: newFrames(conn), feedback: &feedback{}}
	r.tables = newTables(&r.opened, forgotten{})
	r.asides = asides{all: map[uint32]*aside{}, limit: 1 << 30, spool: func() (rowferry.Spool, error) { return nil, errors.New("no room") }}
	return r
}

// wire is a connection on which some bytes come, and then no more.
type wire struct {
	net.Conn
	in *bytes.Reader
}

func (w *wire) Read(b []byte) (int, error)    { return w.in.Read(b[:min(len(b), 7)]) }
func (*wire) SetReadDeadline(time.Time) error { return nil }
func framed(messages [][]byte) (all []byte)   { return framedFrom(nil, messages) }
func framedFrom(b []byte, all [][]byte) []byte {
	for _, m := range all {
		b = appendFrame(b, frameCopyData, append(words(copyLog, int64(90), int64(90), int64(5)), m...))
	}
	return b
}

// read reads all that comes.
func readWire(b []byte) (txs []*rowferry.Tx, err error) {
	r := fuzzReader(&wire{in: bytes.NewReader(b)})
	for {
		tx, err := r.Next(context.Background())
		if err != nil {
			return txs, err
		}
		txs = append(txs, tx)
	}
}

// A stream of all messages gives what they say.
func TestMessages(t *testing.T) {
	txs, err := readWire(framed(seeds()))
	if rowferry.CodeOf(err) != rowferry.CodeSourceAway || errors.Is(err, io.EOF) {
		t.Errorf("the end of the connection is %v", err)
	}
	var ops []rowferry.Op
	for _, tx := range txs {
		for _, c := range tx.Changes {
			ops = append(ops, c.Op)
		}
	}
	want := []rowferry.Op{rowferry.Shape, rowferry.Insert, rowferry.Insert, rowferry.Update, rowferry.Update, rowferry.Delete, rowferry.Truncate, rowferry.Insert}
	if len(ops) != len(want) {
		t.Fatalf("read %v", ops)
	}
	for i := range want {
		if ops[i] != want[i] {
			t.Errorf("change %d is %s, want %s", i, ops[i], want[i])
		}
	}
}

// Messages that are cut off stop by name wherever that is.
func TestMessagesCutOff(t *testing.T) {
	all := seeds()
	for i, m := range all {
		for n := range m {
			if n == 0 {
				continue
			}
			cut := append(append([][]byte{}, all[:i]...), m[:n])
			_, err := readWire(framed(cut))
			if code := rowferry.CodeOf(err); code != rowferry.CodeCorruptLog && (i < 10 || code != rowferry.CodeSourceAway) {
				t.Errorf("%s cut off at %d of %d: %v", messageNames[m[0]], n, len(m), err)
			}
		}
	}
}

// FuzzStream: whatever comes on the connection ends with an error that has a
// code, without a panic and without more memory than it is long.
func FuzzStream(f *testing.F) {
	f.Add(framed(seeds()))
	f.Add(appendFrame(nil, frameError, []byte("SERROR\x00VERROR\x00C57P01\x00Mended\x00\x00")))
	f.Add(appendFrame(framed(seeds()[:3]), frameCopyData, words(copyKeepalive, int64(300), int64(5), byte(1))))
	f.Add([]byte{'d', 0x40, 0, 0, 0, 'w'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Contains(b, []byte("C42704")) || bytes.Contains(b, []byte("WARNING")) {
			return // these ask the catalog
		}
		if _, err := readWire(b); rowferry.CodeOf(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
	})
}

// forgotten is a catalog of a database whose tables are gone.
type forgotten struct{}

func (forgotten) table(context.Context, uint32) (*dialect.SourceTable, error) { return nil, nil }

func (forgotten) typeOf(_ context.Context, c describedColumn) (schema.Type, error) {
	if c.oid == 23 {
		return schema.Type{Kind: schema.Int, Bits: 32}, nil
	}
	return schema.Type{Kind: schema.Text}, nil
}
