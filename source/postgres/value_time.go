package postgres

import "strings"

// Dates and times are in DateStyle ISO
// (https://www.postgresql.org/docs/15/datatype-datetime.html#DATATYPE-DATETIME-OUTPUT),
// times with a zone in UTC.

func isInfinity(s string) bool { return s == "infinity" || s == "-infinity" }

// cutZone returns a time with a zone without it, or false where it has none or
// is not in UTC.
func cutZone(s string) (string, bool) {
	if plain, ok := strings.CutSuffix(s, "+00"); ok {
		return plain, true
	}
	if plain, ok := strings.CutSuffix(s, "+00 BC"); ok {
		return plain + " BC", true
	}
	return s, false
}

// isMoment reports whether s is a date and a time of day.
func isMoment(s string) bool {
	s, before := strings.CutSuffix(s, " BC")
	date, clock, ok := strings.Cut(s, " ")
	return ok && isDate(date, before) && isClock(clock) && clock[:2] != "24"
}

// isDate reports whether s is a day of the proleptic Gregorian calendar, before
// or after the birth of Christ: a year of at least four digits that is not 0, a
// month and a day.
func isDate(s string, before bool) bool {
	n := len(s) - len("-01-02")
	if n < 4 || n > 7 || s[n] != '-' || s[n+3] != '-' {
		return false
	}
	year, ok := number(s[:n])
	month, okMonth := number(s[n+1 : n+3])
	day, okDay := number(s[n+4:])
	if !ok || !okMonth || !okDay || year == 0 || month < 1 || month > 12 {
		return false
	}
	if before {
		year = 1 - year
	}
	return day >= 1 && day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// isClock reports whether s is a time of day, 24:00:00 included, with up to six
// fractional digits.
func isClock(s string) bool {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return false
	}
	hour, ok := number(s[:2])
	minute, okMinute := number(s[3:5])
	second, okSecond := number(s[6:8])
	if !ok || !okMinute || !okSecond || minute > 59 || second > 59 {
		return false
	}
	if hour == 24 {
		return minute == 0 && second == 0 && len(s) == 8
	}
	return hour < 24 && (len(s) == 8 || len(s) <= 15 && s[8] == '.' && onlyDigits(s[9:]))
}

// number reads a few digits.
func number(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n, true
}
