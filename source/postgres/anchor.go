package postgres

import (
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
)

// anchor is the last transaction with rows that was read up to a position: where its commit
// ends, its number, and when it was committed, in microseconds since epoch. Of
// another history with a commit at that place, number or time differ.
//
// Where nothing was read yet it is only the place where reading began, and of a
// position whose lineage has none, as before there were any, that position:
// number and time are 0 then, and what came before is taken on trust.
type anchor struct {
	at   lsn
	xid  uint32
	time int64
}

// append appends what parseAnchor reads: "LSN", or "LSN:XID:TIME" of a
// transaction.
func (a anchor) append(b []byte) []byte {
	b = a.at.append(b)
	if a.xid == 0 {
		return b
	}
	b = strconv.AppendUint(append(b, ':'), uint64(a.xid), 10)
	return strconv.AppendInt(append(b, ':'), a.time, 10)
}

func (a anchor) String() string { return string(a.append(nil)) }

// describe tells people which transaction it is.
func (a anchor) describe() string {
	return "transaction " + strconv.FormatUint(uint64(a.xid), 10) + " of " + clock(a.time).Format("2006-01-02 15:04:05.999999 UTC") + ", ending at " + a.at.String()
}

// parseAnchor reads what append wrote, and reports whether that is what it is.
func parseAnchor(text string) (a anchor, ok bool) {
	fields := strings.Split(text, ":")
	at, err := parseLSN(fields[0])
	if err != nil || len(fields) != 1 && len(fields) != 3 {
		return anchor{}, false
	}
	a.at = at
	if len(fields) == 1 {
		return a, true
	}
	xid, err := strconv.ParseUint(fields[1], 10, 32)
	if err != nil || xid == 0 {
		return anchor{}, false
	}
	a.xid = uint32(xid)
	a.time, err = strconv.ParseInt(fields[2], 10, 64)
	return a, err == nil
}

// anchored parts a transaction's lineage, "TIMELINE/SYSTEMID@ANCHOR", into where
// it comes from and its anchor, which is that of at where the text has none.
func anchored(text string, at lsn) (lineage, anchor, error) {
	from, rest, has := strings.Cut(text, "@")
	l, err := parseLineage(from)
	if err != nil || !has {
		return l, anchor{at: at}, err
	}
	a, ok := parseAnchor(rest)
	if !ok || a.at > at {
		return l, a, rowferry.Errorf(rowferry.CodeLineageBroken, "the checkpoint is not one that can be gone on from").
			Fact("position", "%s", at).Fact("lineage", "%s", shorten(text))
	}
	return l, a, nil
}
