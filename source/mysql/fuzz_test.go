package mysql

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/klauspost/compress/zstd"

	"github.com/rowferry/rowferry"
)

// seeds are small logs of real servers without checksums, so that a change of
// one byte gets past the frame.
func seeds(f *testing.F) map[string][]byte {
	f.Helper()
	paths, err := filepath.Glob("testdata/seeds/*")
	must(f, err)
	if len(paths) == 0 {
		f.Fatal("no seeds")
	}
	all := map[string][]byte{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		must(f, err)
		all[filepath.Base(p)] = b
	}
	return all
}

// bounded runs fn and fails if it allocated far more than size calls for.
func bounded(t *testing.T, size int, fn func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 256<<20+uint64(size)*2000 {
		t.Errorf("%d bytes took %d MiB", size, took>>20)
	}
}

// FuzzReader reads any bytes as a log file: nothing panics, memory is bounded,
// an error has a code, and reading in chunks gives the same.
func FuzzReader(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		read := func(opt Options) result {
			opt.Scope = notOther
			src := logFiles{{"mysql-bin.000001", data}}.source(opt)
			src.maxEvent = 1 << 20
			return readFrom(src, rowferry.Start{})
		}
		var whole result
		bounded(t, len(data), func() { whole = read(Options{}) })
		if whole.err != nil && rowferry.CodeOf(whole.err) == "" {
			t.Errorf("an error without a code: %v", whole.err)
		}
		chunks := read(Options{ChunkBytes: 1})
		if text(chunks.txs) != text(whole.txs) {
			t.Error("in chunks there are other transactions")
		}
	})
}

// FuzzPayload reads any bytes as what a compressed transaction has compressed.
func FuzzPayload(f *testing.F) {
	z, err := zstd.NewWriter(nil)
	must(f, err)
	for name, b := range seeds(f) {
		if strings.HasPrefix(name, "mysql") {
			f.Add(z.EncodeAll(b[magicSize:], nil), uint64(len(b)-magicSize), true)
			f.Add(b[magicSize:], uint64(len(b)-magicSize), false)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint64, compressed bool) {
		body := []byte{payloadCompression, 1, payloadZstd}
		if !compressed {
			body = []byte{payloadCompression, 2, 0xfc, payloadNone, 0}
			body[1] = 3
		}
		lenenc := func(kind byte, v uint64) {
			body = append(body, kind, 9, 0xfe)
			body = binary.LittleEndian.AppendUint64(body, v)
		}
		lenenc(payloadSize, uint64(len(data)))
		lenenc(payloadUncompressedSize, size)
		body = append(append(body, payloadEnd), data...)
		raw := append(make([]byte, headerSize), body...)
		raw[4] = byte(replication.TRANSACTION_PAYLOAD_EVENT)
		e := unframed(parseHeader(raw), raw, place{}, place{})
		bounded(t, len(data), func() {
			fr := newFramer(memoryContent(e.raw), place{}, 1<<20)
			h, err := fr.peek()
			if err != nil {
				t.Fatal(err)
			}
			var inflater *zstd.Decoder
			p, err := fr.openPayload(h, &inflater)
			for err == nil && !p.done() {
				_, err = p.next(fr)
			}
			if inflater != nil {
				inflater.Close()
			}
			if err != nil && rowferry.CodeOf(err) == "" {
				t.Errorf("an error without a code: %v", err)
			}
			if err == nil && p.read != size {
				t.Errorf("%d bytes of %d came out", p.read, size)
			}
		})
	})
}

// FuzzPosition reads any text as a position: what is printed is read back as
// the same.
func FuzzPosition(f *testing.F) {
	for _, s := range []string{"mysql-bin.000042:1337", uuidA + ":1-5:8:tag:1-3," + uuidB + ":7", "0-1-100,1-2-7", "2026-11-18T13:04:00+01:00", "earliest", "2026-11-18"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePosition(s)
		if err != nil {
			if rowferry.CodeOf(err) == "" {
				t.Errorf("an error without a code: %v", err)
			}
			return
		}
		again, err := ParsePosition(p.String())
		if err != nil || again.Kind != p.Kind || again.String() != p.String() {
			t.Errorf("%q is %q, which is read as %q, %v", s, p, again, err)
		}
	})
}

// FuzzGTIDSet adds and takes away: a set less another has nothing of it, and
// with it everything.
func FuzzGTIDSet(f *testing.F) {
	f.Add(uuidA+":1-5:8:tag:1-3", uuidA+":2:tag:2-9")
	f.Fuzz(func(t *testing.T, x, y string) {
		a, err1 := parseGTIDSet(x)
		b, err2 := parseGTIDSet(y)
		if err1 != nil || err2 != nil {
			return
		}
		d := a.minus(&b)
		sum := b.clone()
		for _, s := range d.streams {
			for _, v := range s.ivs {
				sum.addInterval(s.sid, v)
			}
		}
		if both := d.minus(&b); both.String() != d.String() || !a.subsetOf(&sum) || !d.subsetOf(&a) || !b.subsetOf(&sum) {
			t.Errorf("%s less %s is %s", &a, &b, &d)
		}
	})
}
