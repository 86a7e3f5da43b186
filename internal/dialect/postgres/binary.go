package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
)

// Values as the types' send functions write them (src/backend/utils/adt of the
// server, where each receive function says what it reads). The functions here take
// the text that the server prints for a value, in DateStyle ISO and without a
// zone. Of any other text they say that they have no binary form of it, which is
// no judgement: the server may know it as text.

// How numeric_recv is told what is no plain number, in the place of the sign.
const (
	numericPositive = 0x0000
	numericNegative = 0x4000
	numericNaN      = 0xc000
	numericInfinity = 0xd000
	numericMinus    = 0xf000 // infinity
)

const (
	numericGroup = 4      // decimal digits in one of base 10,000
	mostScale    = 0x3fff // decimal digits behind the point
	mostWeight   = math.MaxInt16
)

// AppendNumeric appends a numeric: as many digits behind the point as the text has.
func AppendNumeric(dst []byte, s string) ([]byte, bool) {
	switch s {
	case "NaN":
		return appendNumericHeader(dst, 0, 0, numericNaN, 0), true
	case "Infinity":
		return appendNumericHeader(dst, 0, 0, numericInfinity, 0), true
	case "-Infinity":
		return appendNumericHeader(dst, 0, 0, numericMinus, 0), true
	}
	sign := uint16(numericPositive)
	digits, negative := strings.CutPrefix(s, "-")
	if negative {
		sign = numericNegative
	}
	whole, fraction, dotted := strings.Cut(digits, ".")
	if !onlyDigits(whole) || dotted && !onlyDigits(fraction) {
		return dst, false
	}
	scale := len(fraction)
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	weight := (len(whole)+numericGroup-1)/numericGroup - 1
	if scale > mostScale || weight > mostWeight {
		return dst, false
	}
	start := len(dst)
	dst = appendNumericHeader(dst, 0, 0, 0, 0)
	first := len(dst)
	if n := len(whole) % numericGroup; n > 0 {
		dst, whole = appendGroup(dst, whole[:n]), whole[n:]
	}
	for ; whole != ""; whole = whole[numericGroup:] {
		dst = appendGroup(dst, whole[:numericGroup])
	}
	for fraction != "" {
		n := min(numericGroup, len(fraction))
		dst = appendGroup(dst, fraction[:n])
		for range numericGroup - n { // its digits are the first ones of the group
			binary.BigEndian.PutUint16(dst[len(dst)-2:], 10*binary.BigEndian.Uint16(dst[len(dst)-2:]))
		}
		fraction = fraction[n:]
		if len(dst) == first+2 && dst[first] == 0 && dst[first+1] == 0 {
			dst = dst[:first]
			weight-- // nothing stands before it
		}
	}
	// The fraction has no zeros at its end, but where there is none the whole may.
	for len(dst) > first && dst[len(dst)-2] == 0 && dst[len(dst)-1] == 0 {
		dst = dst[:len(dst)-2]
	}
	groups := (len(dst) - first) / 2
	if groups == 0 {
		weight, sign = 0, numericPositive
	}
	appendNumericHeader(dst[:start], groups, weight, sign, scale)
	return dst, true
}

func appendNumericHeader(dst []byte, groups, weight int, sign uint16, scale int) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(groups))
	dst = binary.BigEndian.AppendUint16(dst, uint16(weight))
	dst = binary.BigEndian.AppendUint16(dst, sign)
	return binary.BigEndian.AppendUint16(dst, uint16(scale))
}

// appendGroup appends up to four digits as one of base 10,000.
func appendGroup(dst []byte, digits string) []byte {
	n := uint16(0)
	for i := range len(digits) {
		n = 10*n + uint16(digits[i]-'0')
	}
	return binary.BigEndian.AppendUint16(dst, n)
}

// AppendDate appends a date: days from 2000-01-01.
func AppendDate(dst []byte, s string) ([]byte, bool) {
	var days int64
	switch s {
	case "infinity":
		days = math.MaxInt32
	case "-infinity":
		days = math.MinInt32
	default:
		plain, before := strings.CutSuffix(s, " BC")
		n, ok := daysOf(plain, before)
		if !ok || n >= math.MaxInt32 || n <= math.MinInt32 { // the ends are the infinities
			return dst, false
		}
		days = n
	}
	return binary.BigEndian.AppendUint32(dst, uint32(int32(days))), true
}

// AppendTime appends a time of day: microseconds.
func AppendTime(dst []byte, s string) ([]byte, bool) {
	micros, ok := clockOf(s)
	return binary.BigEndian.AppendUint64(dst, uint64(micros)), ok
}

const microsPerDay = 24 * 60 * 60 * 1_000_000

// AppendTimestamp appends a timestamp, with a zone or without: microseconds from
// 2000-01-01 00:00:00, in UTC.
func AppendTimestamp(dst []byte, s string) ([]byte, bool) {
	var micros int64
	switch s {
	case "infinity":
		micros = math.MaxInt64
	case "-infinity":
		micros = math.MinInt64
	default:
		plain, before := strings.CutSuffix(s, " BC")
		date, clock, _ := strings.Cut(plain, " ")
		days, ok := daysOf(date, before)
		inDay, okClock := clockOf(clock)
		// The last day of all is the server's to refuse, as one that fits an int64.
		if !ok || !okClock || inDay == microsPerDay || days >= math.MaxInt64/microsPerDay || days <= math.MinInt64/microsPerDay {
			return dst, false
		}
		micros = days*microsPerDay + inDay
	}
	return binary.BigEndian.AppendUint64(dst, uint64(micros)), true
}

// daysOf returns how many days after 2000-01-01 a day YYYY-MM-DD is, in the
// proleptic Gregorian calendar: before the birth of Christ or after it. A year has
// four digits to seven.
func daysOf(s string, before bool) (int64, bool) {
	n := len(s) - len("-01-02")
	if n < 4 || n > 7 || s[n] != '-' || s[n+3] != '-' {
		return 0, false
	}
	year, ok := digitsOf(s[:n])
	month, okMonth := digitsOf(s[n+1 : n+3])
	day, okDay := digitsOf(s[n+4:])
	if !ok || !okMonth || !okDay || year == 0 || month < 1 || month > 12 || day < 1 {
		return 0, false
	}
	if before {
		year = 1 - year
	}
	leap := year%4 == 0 && (year%100 != 0 || year%400 == 0)
	most := monthDays[month-1]
	if leap && month == 2 {
		most++
	}
	if day > most {
		return 0, false
	}
	// Years are counted from March, so that the day which some have is their last,
	// and from long before all of them.
	const era, eraDays, base = 400, 146_097, 730_425 // base: from 0000-03-01 to 2000-01-01
	y := year
	if month <= 2 {
		y--
	}
	eras := floor(y, era)
	inEra := y - eras*era
	inYear := (153*((month+9)%12)+2)/5 + day - 1
	return eras*eraDays + inEra*365 + inEra/4 - inEra/100 + inYear - base, true
}

var monthDays = [12]int64{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// clockOf returns the microseconds of a time of day, HH:MM:SS with up to six
// digits behind a point. The end of a day is 24:00:00.
func clockOf(s string) (int64, bool) {
	if len(s) < 8 || len(s) > 15 || s[2] != ':' || s[5] != ':' {
		return 0, false
	}
	hour, ok := digitsOf(s[:2])
	minute, okMinute := digitsOf(s[3:5])
	second, okSecond := digitsOf(s[6:8])
	if !ok || !okMinute || !okSecond || minute > 59 || second > 59 {
		return 0, false
	}
	micros := int64(0)
	if len(s) > 8 {
		fraction, okFraction := digitsOf(s[9:])
		if s[8] != '.' || !okFraction {
			return 0, false
		}
		micros = fraction
		for range 15 - len(s) {
			micros *= 10
		}
	}
	micros += ((hour*60+minute)*60 + second) * 1_000_000
	return micros, micros <= microsPerDay
}

// AppendUUID appends a uuid: 16 bytes.
func AppendUUID(dst []byte, s string) ([]byte, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return dst, false
	}
	for _, part := range [...]string{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
		var err error
		if dst, err = hex.AppendDecode(dst, []byte(part)); err != nil {
			return dst, false
		}
	}
	return dst, true
}

// digitsOf reads some digits, at least one.
func digitsOf(s string) (n int64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(s[i]-'0')
	}
	return n, s != ""
}

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
