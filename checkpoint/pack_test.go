package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
)

// wantMembers checks that a pack tells what it was made of, as a whole and one by one.
func wantMembers(t *testing.T, pack []byte, want *members) {
	t.Helper()
	got, err := unpack(pack)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		one, err := inPack([]byte("before"), pack, i)
		if err != nil {
			t.Fatal(err)
		}
		if one != nil {
			one = one[len("before"):]
		}
		for _, v := range [][]byte{got[i], one} {
			if !bytes.Equal(v, w) || (v == nil) != (w == nil) {
				t.Fatalf("note %d is %x, want %x, of %x", i, v, w, pack)
			}
		}
	}
}

func TestPacks(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range scaled(20_000) {
		var m members
		sessions := [3]uint64{r.Uint64(), r.Uint64(), ^uint64(0) - uint64(r.IntN(30))} // which counts over its end
		for i := range m {
			next := &sessions[r.IntN(len(sessions))]
			switch r.IntN(12) {
			case 0:
				continue
			case 1:
				m[i] = []byte{}
			case 2:
				m[i] = []byte(strings.Repeat("x", r.IntN(300)))
			case 3:
				*next = r.Uint64()
				fallthrough
			default:
				*next++
				m[i] = binary.BigEndian.AppendUint64([]byte{4}, *next)
				if r.IntN(10) == 0 {
					m[i] = append(m[i], 1)
				}
			}
		}
		wantMembers(t, m.pack(), &m)
	}
	wantMembers(t, nil, &members{})
}

// Rows that follow each other in both databases take a few bytes together.
func TestPacksAreSmall(t *testing.T) {
	var m members
	for i := range m {
		m[i] = binary.BigEndian.AppendUint64([]byte{4}, 1_000_000+uint64(i))
	}
	if n := len(m.pack()); n > 20 {
		t.Errorf("%d keys that follow each other take %d bytes", packSize, n)
	}
	next := uint64(1_000_000)
	for i := range m {
		if m[i] = nil; i%10 != 3 { // a row that the source deleted
			m[i] = binary.BigEndian.AppendUint64([]byte{4}, next)
			next++
		}
	}
	if n := len(m.pack()); n > 20 {
		t.Errorf("%d keys with gaps take %d bytes", packSize, n)
	}
	for i := range m { // of four sessions
		m[i] = binary.BigEndian.AppendUint64([]byte{4}, uint64(1_000_000+1000*(i%4)+i/4))
	}
	if n := len(m.pack()); n > 60 {
		t.Errorf("%d keys of four sessions take %d bytes", packSize, n)
	}
}

func FuzzUnpack(f *testing.F) {
	m := members{3: []byte("twelve bytes"), 4: []byte("twelve bytet"), 63: {}}
	f.Add(m.pack())
	f.Add([]byte{64, 0, 0, 0, 0, 0, 0, 1, 7, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{0, 0, 1, 1})
	f.Fuzz(func(t *testing.T, pack []byte) {
		m, err := unpack(pack)
		if err == nil {
			wantMembers(t, m.pack(), &m)
		}
	})
}

// Notes that are packed are told like all others: one by one, and in order.
func TestPackedNotes(t *testing.T) {
	s := open(t, stateDir(t))
	want := map[string]string{"a": "1", "z": "2", "Lone": "", "Zz": "last"}
	r := noted(1, note("z", "2"), note("Zz", "last"), note("Lone", ""), note("a", "1"))
	for i := range 500 {
		k, v := fmt.Sprintf("K%04d", 7*i%1000), fmt.Sprintf("value %08d", i)
		r.Notes, want[k] = append(r.Notes, note(k, v)), v
	}
	random := rand.NewChaCha8([32]byte{})
	for i := range packSize { // a pack that is stored as a large note is
		k, v := fmt.Sprintf("Large%c", i), make([]byte, 200)
		_, _ = random.Read(v) // never fails
		r.Notes, want[k] = append(r.Notes, note(k, string(v))), string(v)
	}
	mustRecord(t, s, r)
	check := func() {
		t.Helper()
		wantNotes(t, s, want)
		one := allNotes(t, s, "K0007")
		if len(one) != 1 || one["K0007"] != want["K0007"] {
			t.Fatalf("under a whole key there is %q", one)
		}
		if v, err := s.Get([]byte("K9999")); v != nil || err != nil {
			t.Fatalf("a note that was never there is %q, %v", v, err)
		}
	}
	check()
	mustClose(t, s)
	s = open(t, s.dir)
	check()
	mustRecord(t, s, noted(2, gone("Large1"), note("K0007", "changed"), gone("K0000"), gone("K0993"), note("K0001", "new"), gone("Lone")))
	was := map[string]string{}
	for _, k := range []string{"Large1", "K0007", "K0000", "K0993", "K0001", "Lone"} {
		if v, ok := want[k]; ok {
			was[k] = v
		}
		delete(want, k)
	}
	want["K0007"], want["K0001"] = "changed", "new"
	check()
	if err := s.DiscardAfter(1); err != nil {
		t.Fatal(err)
	}
	delete(want, "K0001")
	for k, v := range was {
		want[k] = v
	}
	check()
}

// A store that begins knows its packs without a look for each, as far as there is room.
func TestPacksAreKnownFromTheStart(t *testing.T) {
	s := open(t, stateDir(t), func(o *Options) { o.unsynced = true })
	var r rowferry.Record
	for seq := range uint64(20) {
		r = noted(seq + 1)
		for i := range 1000 {
			r.Notes = append(r.Notes, note(fmt.Sprintf("K%02d%06d", seq, i*40), "some value"))
		}
		mustRecord(t, s, r)
	}
	mustClose(t, s)
	known := func(options ...func(*Options)) (n int) {
		s := open(t, s.dir, options...)
		defer mustClose(t, s)
		for _, note := range r.Notes {
			at, _ := packKey(nil, note.Key)
			if _, ok := s.known(nil, at); ok {
				n++
			}
		}
		return n
	}
	if n := known(); n != len(r.Notes) {
		t.Errorf("%d of %d are known from the start", n, len(r.Notes))
	}
	if n := known(func(o *Options) { o.Recent = 1 }); n != 0 { // the last ones, where there is little room
		t.Errorf("%d are known where there is no room for them", n)
	}
}

// TestNotesStayKnown: a record that is gone back over takes what is known of its own
// notes with it, and of no others.
func TestNotesStayKnown(t *testing.T) {
	s := open(t, stateDir(t), func(o *Options) { o.unsynced = true })
	for seq, keys := range []string{"KaKb", "KaKc"} {
		mustRecord(t, s, noted(uint64(seq+1), note(keys[:2]+"/1", fmt.Sprint(seq)), note(keys[2:]+"/1", fmt.Sprint(seq))))
	}
	if err := s.DiscardAfter(1); err != nil {
		t.Fatal(err)
	}
	known := ""
	for _, key := range []string{"Ka/1", "Kb/1", "Kc/1"} {
		at, _ := packKey(nil, []byte(key))
		if _, ok := s.known(nil, at); ok {
			known += key
		}
	}
	if known != "Kb/1" {
		t.Errorf("known are %q", known)
	}
	if got := allNotes(t, s, "K"); len(got) != 2 {
		t.Errorf("notes are %q", got)
	}
}

// TestNotesAreAsRecorded: with little room to know notes in, each is always told as it
// was recorded last.
func TestNotesAreAsRecorded(t *testing.T) {
	s := open(t, stateDir(t), func(o *Options) { o.unsynced, o.Recent = true, 1 })
	random := rand.New(rand.NewPCG(3, 3))
	want := map[string]string{}
	key := func() string {
		return fmt.Sprintf("%s %06d", []string{"Key", "key"}[random.IntN(2)], random.IntN(9000)*random.IntN(20))
	}
	for seq := uint64(1); seq <= uint64(scaled(150)); seq++ {
		r := noted(seq)
		in := map[string]bool{}
		for range 100 {
			k := key()
			if in[k] {
				continue
			}
			in[k] = true
			if random.IntN(3) == 0 {
				r.Notes = append(r.Notes, gone(k))
				delete(want, k)
				continue
			}
			want[k] = fmt.Sprint(seq, strings.Repeat(" ", random.IntN(60)))
			r.Notes = append(r.Notes, note(k, want[k]))
		}
		mustRecord(t, s, r)
		for range 300 {
			k := key()
			got, err := s.Get([]byte(k))
			if value, there := want[k]; err != nil || string(got) != value || (got != nil) != there {
				t.Fatalf("at %d %s is %q, %v, want %q", seq, k, got, err, value)
			}
		}
	}
}

// TestPacksOfAnyKeys: whatever keys come between those of one pack, and whichever key
// is looked for.
func TestPacksOfAnyKeys(t *testing.T) {
	s := open(t, stateDir(t), func(o *Options) { o.unsynced = true })
	mustRecord(t, s, noted(1, note("Ka", "1"), note("Kbx", "2"), note("Kc", "3")))
	mustRecord(t, s, noted(2, note("KeyA", "a"), note("KeyB", "b")))
	for key, value := range map[string]string{"Ka": "1", "Kbx": "2", "Kc": "3", "KeyA": "a", "KeyB": "b"} {
		if got, err := s.Get([]byte(key)); err != nil || string(got) != value {
			t.Errorf("%s is %q, %v, want %q", key, got, err, value)
		}
	}
	const none = "Key@" // which the pack of two notes is stored under
	if got := allNotes(t, s, none); len(got) != 0 {
		t.Errorf("with %s begin %q", none, got)
	}
}

// TestPacksNeedRoom: what is asked for is what is written, which for a note is its pack.
func TestPacksNeedRoom(t *testing.T) {
	s := open(t, stateDir(t), func(o *Options) { o.unsynced = true })
	const packs = 300
	var all, gone []rowferry.Note
	for i := range packs * packSize {
		key := binary.BigEndian.AppendUint32([]byte("Korders/"), uint32(i))
		all = append(all, rowferry.Note{Key: key, Value: binary.BigEndian.AppendUint64(nil, uint64(i)*0x9e3779b97f4a7c15)})
		if i%packSize == 7 {
			gone = append(gone, rowferry.Note{Key: key})
		}
	}
	mustRecord(t, s, noted(1, all...))
	s.free = func(string) (uint64, error) { return lowWater + noteWater + packs*packSize*8, nil }
	if err := s.Record(noted(2, gone...)); rowferry.CodeOf(err) != rowferry.CodeStateFull {
		t.Errorf("%d packs are written where there is room for half of them: %v", packs, err)
	}
	s.free = func(string) (uint64, error) { return lowWater + noteWater + packs*packSize*8*6, nil }
	mustRecord(t, s, noted(2, gone...))
}
