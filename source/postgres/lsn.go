package postgres

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// lsn is a place in the write-ahead log: the bytes before it since the cluster
// was made. 0 is no place.
type lsn uint64

// String returns the place as PostgreSQL prints it, "16/B374D848".
func (l lsn) String() string { return string(l.append(nil)) }

// append appends String to b.
func (l lsn) append(b []byte) []byte {
	b = appendHex(b, uint32(l>>32))
	b = append(b, '/')
	return appendHex(b, uint32(l))
}

func appendHex(b []byte, n uint32) []byte {
	const digits = "0123456789ABCDEF"
	at := 28
	for at > 0 && n>>at == 0 {
		at -= 4
	}
	for ; at >= 0; at -= 4 {
		b = append(b, digits[n>>at&15])
	}
	return b
}

// position is the lsn as a Position.
func (l lsn) position() rowferry.Position { return rowferry.Position(l.String()) }

// parseLSN reads what String prints, and nothing else but lower-case digits: a
// position has one text. 0/0 is no position.
func parseLSN(text string) (lsn, error) {
	high, low, ok := strings.Cut(text, "/")
	h, herr := parseHex(high)
	l, lerr := parseHex(low)
	if at := lsn(h)<<32 | lsn(l); ok && herr == nil && lerr == nil && at != 0 {
		return at, nil
	}
	return 0, rowferry.Errorf(rowferry.CodeBadPosition, "%q is no place in PostgreSQL's log", shorten(text)).
		Remedy("write", "an LSN as the server prints it: 16/B374D848")
}

func parseHex(text string) (uint32, error) {
	if len(text) > 1 && text[0] == '0' || strings.ContainsAny(text, "+_") {
		return 0, fmt.Errorf("%q is not how the server prints it", text)
	}
	n, err := strconv.ParseUint(text, 16, 32)
	return uint32(n), err
}

// shorten makes text fit into a message.
func shorten(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// epoch is what PostgreSQL counts time from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// clock returns a time of the log, which is in microseconds since epoch.
func clock(micros int64) time.Time {
	return time.UnixMicro(micros + epoch.UnixMicro()).UTC()
}
