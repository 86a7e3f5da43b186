package faultproxy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIsCommit(t *testing.T) {
	for text, want := range map[string]bool{
		"COMMIT": true, " commit ;": true, "commit work": true, "COMMIT AND NO CHAIN": true, "UPDATE t SET a = 1; COMMIT": true, "commit\x00": true,
		"": false, "COMMITTED": false, "COMMIT PREPARED 'x'": false, "XA COMMIT 'x'": false, "SELECT 'COMMIT'": false, "ROLLBACK": false,
	} {
		if isCommit(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}

func mysqlPacket(sequence byte, payload string) []byte {
	n := len(payload)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), sequence}, payload...)
}

func postgresMessage(kind string, body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte(kind), uint32(len(body)+4)), body...)
}

// However the stream is cut, it passes unchanged, and COMMITs are seen where
// they are.
func TestScanners(t *testing.T) {
	hello := "\x00\x00\x00\x00" + strings.Repeat("x", 40)
	for name, c := range map[string]struct {
		protocol Protocol
		messages [][]byte
		commits  []int // which messages begin one
		ends     []int
		run      []int // which messages run a statement
	}{
		"mysql": {
			MySQL, [][]byte{
				mysqlPacket(1, hello), mysqlPacket(3, "\x03COMMIT"), mysqlPacket(0, "\x03BEGIN"), mysqlPacket(0, "\x03COMMIT"),
				mysqlPacket(0, "\x03"+strings.Repeat("y", 70_000)), mysqlPacket(0, "\x03commit;"), mysqlPacket(0, "\x16SELECT 1"),
			},
			[]int{3, 5}, []int{3, 5}, []int{2, 3, 4, 5},
		},
		"postgres": {
			Postgres, [][]byte{
				binary.BigEndian.AppendUint32([]byte{0, 0, 0, 20}, 3<<16), []byte("user\x00me\x00abc\x00"), // one message in two parts
				postgresMessage("Q", "commit\x00"), postgresMessage("P", "c\x00commit\x00\x00\x00"), postgresMessage("B", "p\x00c\x00\x00\x00"),
				postgresMessage("B", "\x00other\x00"+strings.Repeat("z", 70_000)), postgresMessage("E", "\x00\x00\x00\x00\x00"), postgresMessage("S", ""),
				postgresMessage("E", "p\x00\x00\x00\x00\x00"), postgresMessage("E", "\x00\x00\x00\x00\x00"), postgresMessage("S", ""),
				postgresMessage("d", "commit\x00"), postgresMessage("Q", "SELECT 1\x00"),
			},
			[]int{2, 8}, []int{2, 10}, []int{2, 3, 12},
		},
	} {
		stream := slices.Concat(c.messages...)
		starts, at := map[int]int{}, 0
		for i, m := range c.messages {
			starts[at] = i
			at += len(m)
		}
		random := rand.New(rand.NewPCG(1, 1))
		for _, most := range []int{1, 3, 1000, len(stream)} {
			s := newScanner(c.protocol)
			var passed []byte
			var begins, ends, run []int
			for rest := stream; len(rest) > 0; {
				n := min(1+random.IntN(most), len(rest))
				for _, p := range s.client(bytes.Clone(rest[:n])) {
					if p.begins {
						begins = append(begins, starts[len(passed)])
					}
					if p.ends {
						ends = append(ends, starts[len(passed)])
					}
					if p.statement {
						run = append(run, starts[len(passed)])
					}
					passed = append(passed, p.data...)
				}
				rest = rest[n:]
			}
			if !bytes.Equal(passed, stream) {
				t.Errorf("%s, cut at most at %d: the stream has changed", name, most)
			}
			if !slices.Equal(run, c.run) {
				t.Errorf("%s, cut at most at %d: statements at %v, want %v", name, most, run, c.run)
			}
			if fmt.Sprint(begins, ends) != fmt.Sprint(c.commits, c.ends) {
				t.Errorf("%s, cut at most at %d: COMMITs begin at %v and end at %v, want %v and %v", name, most, begins, ends, c.commits, c.ends)
			}
		}
	}
}

// The server has answered when the last of what it says to a command has come,
// however that is cut.
func TestAnswers(t *testing.T) {
	type step struct {
		client, server []byte
		answered       bool // after the last byte of server, not before
		begins         bool // a COMMIT, by this client's message
	}
	ready := postgresMessage("Z", "I")
	done := slices.Concat(postgresMessage("1", ""), postgresMessage("2", ""), postgresMessage("C", "COMMIT\x00"))
	for name, c := range map[string]struct {
		protocol Protocol
		steps    []step
	}{
		"postgres": {Postgres, []step{
			{client: []byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"), server: []byte("N"), answered: true}, // TLS is asked for and refused
			{client: append([]byte("\x00\x00\x00\x09\x00\x03\x00\x00"), 0), server: slices.Concat(postgresMessage("R", "\x00\x00\x00\x00"), ready), answered: true},
			{client: postgresMessage("Q", "BEGIN\x00")},
			{client: postgresMessage("Q", "COMMIT\x00"), server: slices.Concat(done, ready), begins: true}, // of BEGIN
			{server: slices.Concat(done, ready), answered: true},
			{client: postgresMessage("P", "\x00COMMIT\x00\x00\x00")}, {client: postgresMessage("B", "\x00\x00\x00\x00")},
			{client: postgresMessage("E", "\x00\x00\x00\x00\x00"), begins: true},
			{client: postgresMessage("S", ""), server: slices.Concat(done, ready), answered: true},
		}},
		"mysql": {MySQL, []step{
			{server: mysqlPacket(0, "\x0a9.7.0"), answered: true},
			{client: mysqlPacket(1, "\x00\x00\x00\x00"+strings.Repeat("x", 40)), server: mysqlPacket(2, "\x00\x00"), answered: true},
			{client: mysqlPacket(0, "\x16COMMIT"), server: mysqlPacket(1, "\x00\x07\x01\x00\x00\x00\x00\x00\x00"), answered: true},
			{client: mysqlPacket(0, "\x17\x07\x01\x00\x00\x00"), server: mysqlPacket(1, "\x00"), answered: true, begins: true},
			{client: mysqlPacket(0, "\x17\x08\x01\x00\x00\x00"), server: mysqlPacket(1, "\x00"), answered: true},
		}},
	} {
		s := newScanner(c.protocol)
		for i, step := range c.steps {
			begins := false
			for j := range step.client {
				for _, p := range s.client([]byte{step.client[j]}) {
					begins = begins || p.begins
				}
			}
			if begins != step.begins || s.blind() {
				t.Errorf("%s, step %d: begins %t, blind %t", name, i, begins, s.blind())
			}
			for j := range step.server {
				last := j == len(step.server)-1
				if s.server(step.server[j:j+1]) != (step.answered && last) {
					t.Errorf("%s, step %d, byte %d of the answer: not answered as expected", name, i, j)
				}
			}
		}
	}
}

// A line keeps its order, takes its time, and does the same for the same seed.
func TestClock(t *testing.T) {
	shape := Shape{Delay: time.Second, Bandwidth: 1000, Loss: 0.3}
	times := func(seed uint64) (all []time.Duration) {
		start := time.Unix(0, 0)
		c := &clock{random: rand.New(rand.NewPCG(seed, 0))}
		for i := range 200 {
			all = append(all, c.next(start.Add(time.Duration(i)*time.Millisecond), shape, 100).Sub(start))
		}
		return all
	}
	a := times(1)
	late := 0
	for i, at := range a {
		undisturbed := time.Second + time.Duration(i+1)*100*time.Millisecond
		if at < undisturbed || i > 0 && at < a[i-1] {
			t.Fatalf("chunk %d is due at %v, after %v", i, at, a[max(i-1, 0)])
		}
		if at > undisturbed {
			late++
		}
	}
	if late < 60 || late > 199 {
		t.Errorf("%d of 200 chunks are late", late)
	}
	if !slices.Equal(a, times(1)) || slices.Equal(a, times(2)) {
		t.Error("the seed does not decide")
	}
}
