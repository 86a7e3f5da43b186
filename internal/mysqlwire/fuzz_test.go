package mysqlwire

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"strings"
	"testing"
)

// answered frames the packets of an answer.
func answered(contents ...string) []byte {
	var out []byte
	for i, c := range contents {
		start := len(out)
		out = append(appendPacket(out), c...)
		putHeader(out[start:], len(c), byte(i+1))
	}
	return out
}

const (
	sayOK     = "\x00\x07\x00\x02\x00\x00\x00"
	sayEnd    = "\xfe\x00\x00\x02\x00"
	sayError  = "\xff\x48\x04#HY000Something"
	sayColumn = "\x03def\x00\x00\x00\x01x\x00\x0c\x2d\x00\x00\x01\x00\x00\xfd\x00\x00\x00\x00\x00"
)

// sayNumber is the definition of a column of a type without sign.
func sayNumber(typ byte) string {
	b := []byte(sayColumn)
	b[len(b)-6], b[len(b)-5] = typ, 0x20
	return string(b)
}

// TestAnswers: what answers are, and what is none.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		packets []byte
		n       int64
		refused uint16
		broken  bool
	}{
		"ok":                 {packets: answered(sayOK), n: 7},
		"error":              {packets: answered(sayError), refused: 1096},
		"rows":               {packets: answered("\x01", sayColumn, sayEnd, "\x01a", "\xfb", sayEnd), n: 2},
		"error after a row":  {packets: answered("\x01", sayColumn, sayEnd, "\x01a", sayError), refused: 1096},
		"last words":         {packets: append([]byte{byte(len(sayError)), 0, 0, 0}, sayError...), refused: 1096},
		"a file is asked":    {packets: answered("\xfb/etc/passwd"), broken: true},
		"end":                {packets: answered(sayEnd), broken: true},
		"nothing":            {packets: answered(""), broken: true},
		"cut":                {packets: answered(sayOK)[:7], broken: true},
		"short ok":           {packets: answered(sayOK[:3]), broken: true},
		"another follows":    {packets: answered("\x00\x07\x00\x0a\x00\x00\x00"), broken: true},
		"too many columns":   {packets: answered("\xfc\x01\x10"), broken: true},
		"no columns":         {packets: answered("\x01", sayEnd), broken: true},
		"no end of columns":  {packets: answered("\x01", sayColumn, "\x01a"), broken: true},
		"row is short":       {packets: answered("\x01", sayColumn, sayEnd, "\x05a"), broken: true},
		"row is long":        {packets: answered("\x01", sayColumn, sayEnd, "\x01ab"), broken: true},
		"number out of turn": {packets: append(answered(sayOK)[:3], append([]byte{9}, sayOK...)...), broken: true},
	} {
		p := packets{r: bufio.NewReader(bytes.NewReader(c.packets))}
		a, err := readAnswer(&p, 1, false, func([]value) error { return nil })
		if (err != nil) != c.broken || a.n != c.n && c.refused == 0 && !c.broken || (a.err != nil) != (c.refused != 0) || a.err != nil && a.err.Number != c.refused {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		if _, err := (answer{n: a.n, err: a.err}).result(); c.refused != 0 && !errors.As(err, new(*ServerError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzAnswer reads whatever a server may send: errors, and no panic.
func FuzzAnswer(f *testing.F) {
	for _, seed := range [][]byte{
		answered(sayOK), answered(sayError), answered("\xfb/etc/passwd"), answered("\x01", sayColumn, sayEnd, "\x01a", "\xfb", sayEnd),
		answered("\x01", sayColumn, sayEnd, "\x00\x00\x01a", "\x00\x04", sayEnd), answered("\x01", sayNumber(typeLongLong), sayEnd, "\x00\x0012345678", sayEnd),
		answered("\x01", sayNumber(typeDateTime), sayEnd, "\x00\x00\x0b\xd1\x07\x02\x03\x04\x05\x06\x01\x00\x00\x00", sayEnd),
		answered("\x00\x01\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00", sayColumn, sayEnd, sayColumn, sayEnd), bytes.Repeat([]byte{0xff}, 64),
	} {
		f.Add(seed, byte(1), true)
		f.Add(seed, byte(1), false)
	}
	f.Fuzz(func(t *testing.T, sent []byte, command byte, binaryRows bool) {
		read := func() *packets { return &packets{r: bufio.NewReader(bytes.NewReader(sent))} }
		a, err := readAnswer(read(), command, binaryRows, func(row []value) error {
			into := make([]any, len(row))
			for i := range into {
				into[i] = [...]any{new(sql.NullString), new(string), new(int), new(int64), new(uint64), new(bool), new([]byte), new(float32)}[i%8]
			}
			return scan(row, into)
		})
		if err == nil && a.err == nil && a.n < 0 {
			t.Errorf("%d rows", a.n)
		}
		st := &Stmt{}
		if refused, err := st.readPrepared(read(), command); err == nil && refused == nil && st.params < 0 {
			t.Errorf("%d parameters", st.params)
		}
	})
}

// TestLengths: lengths are read as they are written, and not beyond the end.
func TestLengths(t *testing.T) {
	for _, v := range []uint64{0, 250, 251, 1<<16 - 1, 1 << 16, 1<<24 - 1, 1 << 24, 1<<64 - 1} {
		b := appendLen(nil, v)
		if got, n := lenEnc(b); got != v || n != len(b) {
			t.Errorf("%d is read as %d, of %d bytes", v, got, n)
		}
		if _, n := lenEnc(b[:len(b)-1]); n != 0 {
			t.Errorf("%d is read from too few bytes", v)
		}
	}
	if _, _, ok := lenText([]byte("\xfe" + strings.Repeat("\xff", 8))); ok {
		t.Error("a text without end")
	}
}
