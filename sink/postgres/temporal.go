package postgres

import (
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// checkTemporal makes sure of a date or time as the source prints it that
// PostgreSQL has such a day and keeps every digit: it would round a fraction that
// is longer than the column's.
func (c *column) checkTemporal(s string) *rowferry.Error {
	if !c.foreign {
		return c.checkOwn(s)
	}
	switch c.typ.Base {
	case dialect.Date:
		if !isDate(s) {
			return noSuchTime(s, "a date")
		}
	case dialect.Interval:
		if !c.isDuration(s) {
			return noSuchTime(s, "an interval")
		}
	default:
		date, clock, ok := strings.Cut(s, " ")
		if !ok || !isDate(date) || strings.IndexByte(clock, ':') != 2 || !c.isClock(clock, 23) {
			return noSuchTime(s, "a time")
		}
	}
	return nil
}

// checkOwn is checkTemporal of another PostgreSQL's, which may be infinite, before
// Christ and after the year 9999.
func (c *column) checkOwn(s string) *rowferry.Error {
	if _, fraction, ok := strings.Cut(strings.TrimSuffix(s, " BC"), "."); ok && len(fraction) > c.typ.Scale {
		return rowferry.Errorf(rowferry.CodeOutOfRange, "a time has more digits than the target's column").
			Fact("value", "%s", s).Fact("digits", "%d", c.typ.Scale)
	}
	return nil
}

func noSuchTime(s, what string) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeOutOfRange, "PostgreSQL cannot hold this value as %s, and nothing is put in its place", what).
		Fact("value", "%s", s).
		Remedy("keep it as text", "make the target's column yourself, as text").
		Remedy("mend it", "at the source, where zero and partial dates are a matter of sql_mode")
}

// isDate reports whether s is a day of the Gregorian calendar from year 1 to
// 9999. MySQL also knows 0000-00-00, 2025-00-15 and, when asked to, 2025-02-31.
func isDate(s string) bool {
	var days [4]byte
	_, ok := dialect.AppendDate(days[:0], s)
	return ok && len(s) == len("2006-01-02")
}

// isDuration reports whether s is a signed MySQL TIME whose fraction the
// column keeps.
func (c *column) isDuration(s string) bool { return c.isClock(strings.TrimPrefix(s, "-"), 838) }

// isClock reports whether s is hours:minutes:seconds[.fraction] with at most so
// many hours.
func (c *column) isClock(s string, most int) bool {
	s, fraction, dotted := strings.Cut(s, ".")
	if dotted && (!onlyDigits(fraction) || len(fraction) > c.typ.Scale) {
		return false
	}
	parts := strings.Split(s, ":")
	if len(parts) != 3 || !onlyDigits(parts[0]) || len(parts[0]) < 2 || len(parts[0]) > 3 || !twoDigits(parts[1]) || !twoDigits(parts[2]) {
		return false
	}
	hours := 0
	for _, d := range parts[0] {
		hours = 10*hours + int(d-'0')
	}
	return hours <= most && parts[1] < "60" && parts[2] < "60"
}

func twoDigits(s string) bool { return len(s) == 2 && onlyDigits(s) }
