package mysql

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// PositionKind says how a position is written.
type PositionKind uint8

// The kinds of positions.
const (
	Earliest PositionKind = iota + 1
	Latest
	AtTime    // an instant: not a place in a log until it is resolved
	AtFile    // a log file and an offset in it
	AtGTID    // a MySQL GTID set
	AtDomains // MariaDB GTIDs, one per domain
)

// Parsed is a position as a person or a checkpoint writes it. String prints
// what ParsePosition reads; two positions are the same if their texts are.
type Parsed struct {
	Kind    PositionKind
	File    string // AtFile: the file's name without directory
	Offset  uint64 // AtFile: bytes from the start of the file
	Time    time.Time
	gtids   gtidSet
	domains domains
}

// Concrete reports whether the text alone names a place in a log, so that it
// can stand in a checkpoint.
func (p Parsed) Concrete() bool { return p.Kind >= AtFile }

// String prints the position in its one canonical form.
func (p Parsed) String() string {
	switch p.Kind {
	case Earliest:
		return "earliest"
	case Latest:
		return "latest"
	case AtTime:
		return p.Time.UTC().Format(time.RFC3339Nano)
	case AtFile:
		return filePosition(p.File, p.Offset)
	case AtGTID:
		return p.gtids.String()
	case AtDomains:
		return p.domains.String()
	default:
		return ""
	}
}

func filePosition(file string, offset uint64) string {
	return file + ":" + strconv.FormatUint(offset, 10)
}

var (
	looksLikeTime    = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[Tt ]`)
	looksLikeDate    = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	looksLikeZone    = regexp.MustCompile(`([Zz]|[+-]\d{2}:\d{2})$`)
	looksLikeDomains = regexp.MustCompile(`^\s*\d+-\d+-\d+\s*(,|$)`)
	looksLikeGTID    = regexp.MustCompile(`^\s*[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}\s*:`)
)

// ParsePosition reads a position: "mysql-bin.000042:1337", a MySQL GTID set
// (tagged too), MariaDB GTIDs ("0-1-100,1-2-7"), an RFC 3339 time, "earliest"
// or "latest". It fails with CodeBadPosition, or CodeZonelessTime for a time
// without a zone.
func ParsePosition(text string) (Parsed, error) {
	t := strings.TrimSpace(text)
	bad := func(err error) (Parsed, error) {
		e := rowferry.Errorf(rowferry.CodeBadPosition, "%q is not a position", text)
		if err != nil {
			e.Err = err
			return Parsed{}, e.Fact("reason", "%v", err)
		}
		return Parsed{}, e
	}
	switch {
	case t == "":
		return bad(nil)
	case strings.EqualFold(t, "earliest"):
		return Parsed{Kind: Earliest}, nil
	case strings.EqualFold(t, "latest"):
		return Parsed{Kind: Latest}, nil
	case looksLikeTime.MatchString(t):
		return parseTime(t, bad)
	case looksLikeGTID.MatchString(t):
		set, err := parseGTIDSet(t)
		if err != nil {
			return bad(err)
		}
		return Parsed{Kind: AtGTID, gtids: set}, nil
	case looksLikeDomains.MatchString(t):
		d, err := parseDomains(t)
		if err == nil {
			return Parsed{Kind: AtDomains, domains: d}, nil
		}
		if looksLikeDate.MatchString(t) {
			return Parsed{}, zoneless(t)
		}
		return bad(err)
	}
	return parseFilePosition(t, bad)
}

func parseFilePosition(t string, bad func(error) (Parsed, error)) (Parsed, error) {
	i := strings.LastIndexByte(t, ':')
	if i < 1 || strings.ContainsAny(t[:i], "/\\\n\x00") {
		return bad(nil)
	}
	digits := t[i+1:]
	if len(digits) == 0 || len(digits) > 1 && digits[0] == '0' || digits[0] == '+' {
		return bad(nil)
	}
	off, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return bad(nil)
	}
	return Parsed{Kind: AtFile, File: t[:i], Offset: off}, nil
}

func parseTime(t string, bad func(error) (Parsed, error)) (Parsed, error) {
	if !looksLikeZone.MatchString(t[10:]) {
		return Parsed{}, zoneless(t)
	}
	norm := strings.ToUpper(t[:10] + "T" + t[11:])
	at, err := time.Parse(time.RFC3339Nano, norm)
	if err != nil {
		return bad(err)
	}
	return Parsed{Kind: AtTime, Time: at.UTC()}, nil
}

func zoneless(t string) error {
	return rowferry.Errorf(rowferry.CodeZonelessTime, "the time %q has no zone", t).
		Remedy("say which zone", "%sZ, or with an offset such as +01:00", strings.Replace(t, " ", "T", 1))
}
