package mysql

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
)

const (
	uuidA = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	uuidB = "ffffffff-71ca-11e1-9e33-c80aa9429562"
)

func TestGTIDSetText(t *testing.T) {
	for in, want := range map[string]string{
		uuidA + ":1":                                         uuidA + ":1",
		strings.ToUpper(uuidA) + ":1-5":                      uuidA + ":1-5",
		uuidA + ":1-2:3:5-9:7-8":                             uuidA + ":1-3:5-9",
		uuidB + ":1," + uuidA + ":4:1":                       uuidA + ":1:4," + uuidB + ":1",
		uuidA + ":1-5:Tag:1-3:other_2:9":                     uuidA + ":1-5:other_2:9:tag:1-3",
		uuidA + ":tag:2," + uuidA + ":1":                     uuidA + ":1:tag:2",
		" " + uuidA + " : 1 - 3 : t : 5 ,\n" + uuidA + ":4,": uuidA + ":1-4:t:5",
		uuidA + ":9223372036854775806":                       uuidA + ":9223372036854775806",
	} {
		p, err := ParsePosition(in)
		if err != nil || p.String() != want || p.Kind != AtGTID {
			t.Errorf("%q is read as %q, %v; want %q", in, p, err, want)
		}
	}
	for _, in := range []string{
		uuidA + ":", uuidA + ":0", uuidA + ":5-4", uuidA + ":1-", uuidA + ":9223372036854775807", uuidA + ":tag",
		uuidA + ":tag:", uuidA + ":tag:x:1", uuidA + ":1,junk:4", uuidA + ":1:" + strings.Repeat("a", 33) + ":1", uuidA + ":1::2",
	} {
		if p, err := ParsePosition(in); rowferry.CodeOf(err) != rowferry.CodeBadPosition {
			t.Errorf("%q is read as %q, %v", in, p, err)
		}
	}
}

// The algebra agrees with the same done on maps, gaps and all (M8).
func TestGTIDSetAlgebra(t *testing.T) {
	u, err := parseUUID(uuidA)
	must(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var a, b gtidSet
		inA, inB := map[gtid]bool{}, map[gtid]bool{}
		for range 60 {
			g := gtid{sid{u, [...]string{"", "t"}[rng.IntN(2)]}, 1 + rng.Uint64N(40)}
			switch rng.IntN(3) {
			case 0:
				a.add(g)
				inA[g] = true
			case 1:
				b.add(g)
				inB[g] = true
			default:
				a.remove(g)
				delete(inA, g)
			}
		}
		d := a.minus(&b)
		subset := true
		for _, tag := range []string{"", "t"} {
			for n := range uint64(43) {
				g := gtid{sid{u, tag}, n}
				if a.contains(g) != inA[g] || d.contains(g) != (inA[g] && !inB[g]) {
					t.Fatalf("%s in %s: %v; in %s less %s = %s: %v", g, &a, a.contains(g), &a, &b, &d, d.contains(g))
				}
				subset = subset && (!inA[g] || inB[g])
			}
		}
		if a.subsetOf(&b) != subset {
			t.Fatalf("%s in %s: %v", &a, &b, !subset)
		}
		if again, err := parseGTIDSet(a.String()); !a.empty() && (err != nil || again.String() != a.String()) {
			t.Fatalf("%s is read back as %s, %v", &a, &again, err)
		}
		for i, s := range a.streams {
			for j, v := range s.ivs {
				if v.lo > v.hi || j > 0 && s.ivs[j-1].hi+1 >= v.lo || i > 0 && a.streams[i-1].sid.compare(s.sid) >= 0 {
					t.Fatalf("%v is not normal", a)
				}
			}
		}
	}
}

func TestPositionText(t *testing.T) {
	for in, want := range map[string]struct {
		text string
		kind PositionKind
	}{
		"mysql-bin.000042:1337":       {"mysql-bin.000042:1337", AtFile},
		"a:b.1:18446744073709551615":  {"a:b.1:18446744073709551615", AtFile},
		"5-6-7":                       {"5-6-7", AtDomains},
		" 7-1-2 , 0-4294967295-100":   {"0-4294967295-100,7-1-2", AtDomains},
		"2026-11-18":                  {"2026-11-18", AtDomains}, // a server may be called that
		"2026-11-18T12:04:00.5Z":      {"2026-11-18T12:04:00.5Z", AtTime},
		"2026-11-18 12:04:00-01:00":   {"2026-11-18T13:04:00Z", AtTime},
		"2026-11-18t12:04:00.000001z": {"2026-11-18T12:04:00.000001Z", AtTime},
		"Earliest":                    {"earliest", Earliest},
		"latest":                      {"latest", Latest},
	} {
		p, err := ParsePosition(in)
		if err != nil || p.String() != want.text || p.Kind != want.kind || p.Concrete() != (p.Kind >= AtFile) {
			t.Errorf("%q is read as %q (%d), %v", in, p, p.Kind, err)
		}
	}
	for code, all := range map[rowferry.Code][]string{
		rowferry.CodeBadPosition: {"", "x", ":1", "f:", "f:-1", "f:+1", "f:01", "dir/f:1", "1-2-3,1-2-4", "1-2-3,x", "1-2-03,4-5-6",
			"2026-13-18T12:04:00Z", "2026-11-18T25:04:00Z", "4294967296-1-1", "f:18446744073709551616"},
		rowferry.CodeZonelessTime: {"2026-11-18T12:04:00", "2026-11-18 12:04", "2026-01-08", "2026-11-18T12:04:00.123"},
	} {
		for _, in := range all {
			if p, err := ParsePosition(in); rowferry.CodeOf(err) != code {
				t.Errorf("%q is read as %q, %v; want %s", in, p, err, code)
			}
		}
	}
}

// The tagged GTID event, as a server wrote it (9.7), and the numbers in it.
func TestSerialization(t *testing.T) {
	for _, c := range []struct {
		bytes []byte
		want  uint64
	}{
		{[]byte{0}, 0}, {[]byte{0x72}, 57}, {[]byte{0xfe}, 127}, {[]byte{0x9d, 0x02}, 0xa7}, {[]byte{0x01, 0x02}, 128},
		{[]byte{0x03, 0, 2}, 1 << 14},
		{[]byte{0x7f, 1, 0, 0, 0, 0, 0, 0}, 1},
		{[]byte{0xff, 1, 0, 0, 0, 0, 0, 0, 0x80}, 1<<63 + 1},
	} {
		in := &input{b: c.bytes}
		if got := in.varlen(); got != c.want || in.err != nil || len(in.b) != 0 {
			t.Errorf("% x is read as %d (%v), want %d", c.bytes, got, in.err, c.want)
		}
	}
	raw := append(make([]byte, headerSize), "\x02\x72\x00\x00\x00\x02\x9d\x02\xd1\x02\x34\x70\x95\x03\x35\x02\x22\xc5\x03\xad\x02\x2e\x04\xf1\x03\x00\x00\x00\x02\x04\x04\x06\x08\x74\x61\x67\x78\x08\x08\x0a\x10\x0c\x7f\x31\x6f\x3d\xf5\xc5\x60\x06\x10\xc1\x04\x12\x83\x12\x0b"...)
	n, err := parseTaggedGTID(&event{raw: raw})
	at := time.Date(2026, 11, 21, 9, 26, 39, 0, time.UTC)
	if err != nil || string(n.append(nil)) != "a7b41a38-e58d-11f1-ab17-02fc00000001:tagx:1" || n.commit.Truncate(time.Second) != at {
		t.Errorf("read as %s at %s, %v", n.append(nil), n.commit, err)
	}
}
