package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
)

// The functions here append, to what dst has, the text that the server prints for a
// value which its type's send function wrote: in DateStyle ISO, and of a timestamp
// with a zone what it is in UTC, without the zone. They return false for what no
// send function writes.

// NumericText appends a numeric's text.
func NumericText(dst, b []byte) ([]byte, bool) {
	const header, digit = 8, 2
	if len(b) < header {
		return dst, false
	}
	groups, weight := int(binary.BigEndian.Uint16(b)), int(int16(binary.BigEndian.Uint16(b[2:])))
	sign, scale := binary.BigEndian.Uint16(b[4:]), int(binary.BigEndian.Uint16(b[6:]))
	if len(b) != header+groups*digit || scale > mostScale {
		return dst, false
	}
	switch sign {
	case numericPositive:
	case numericNegative:
		dst = append(dst, '-')
	case numericNaN:
		return append(dst, "NaN"...), true
	case numericInfinity:
		return append(dst, "Infinity"...), true
	case numericMinus:
		return append(dst, "-Infinity"...), true
	default:
		return dst, false
	}
	b = b[header:]
	for i := range groups {
		if binary.BigEndian.Uint16(b[i*digit:]) > 9999 {
			return dst, false
		}
	}
	group := func(i int) int { // with 0 beyond those that are written
		if i < 0 || i >= groups {
			return 0
		}
		return int(binary.BigEndian.Uint16(b[i*digit:]))
	}
	if weight < 0 {
		dst = append(dst, '0')
	}
	for i := 0; i <= weight; i++ {
		if n := group(i); i == 0 {
			dst = appendInt(dst, n)
		} else {
			dst = appendDigits(dst, n, numericGroup)
		}
	}
	if scale == 0 {
		return dst, true
	}
	dst = append(dst, '.')
	end := len(dst) + scale
	for i := weight + 1; len(dst) < end; i++ {
		dst = appendDigits(dst, group(i), numericGroup)
	}
	return dst[:end], true
}

// DateText appends a date's text.
func DateText(dst, b []byte) ([]byte, bool) {
	if len(b) != 4 {
		return dst, false
	}
	switch days := int32(binary.BigEndian.Uint32(b)); days {
	case math.MaxInt32:
		return append(dst, "infinity"...), true
	case math.MinInt32:
		return append(dst, "-infinity"...), true
	default:
		dst, before := appendDay(dst, int64(days))
		return appendEra(dst, before), true
	}
}

// TimeText appends the text of a time of day.
func TimeText(dst, b []byte) ([]byte, bool) {
	if len(b) != 8 {
		return dst, false
	}
	micros := int64(binary.BigEndian.Uint64(b))
	if micros < 0 || micros > microsPerDay {
		return dst, false
	}
	return appendClock(dst, micros), true
}

// TimestampText appends the text of a timestamp, with a zone or without.
func TimestampText(dst, b []byte) ([]byte, bool) {
	if len(b) != 8 {
		return dst, false
	}
	switch micros := int64(binary.BigEndian.Uint64(b)); micros {
	case math.MaxInt64:
		return append(dst, "infinity"...), true
	case math.MinInt64:
		return append(dst, "-infinity"...), true
	default:
		days := floor(micros, microsPerDay)
		dst, before := appendDay(dst, days)
		dst = appendClock(append(dst, ' '), micros-days*microsPerDay)
		return appendEra(dst, before), true
	}
}

// UUIDText appends a uuid's text.
func UUIDText(dst, b []byte) ([]byte, bool) {
	if len(b) != 16 {
		return dst, false
	}
	dst = hex.AppendEncode(dst, b[:4])
	for _, part := range [...][]byte{b[4:6], b[6:8], b[8:10], b[10:]} {
		dst = hex.AppendEncode(append(dst, '-'), part)
	}
	return dst, true
}

// appendDay appends the day that is so many days after 2000-01-01, without its era.
// See daysOf.
func appendDay(dst []byte, days int64) (_ []byte, before bool) {
	const era, eraDays, base = 400, 146_097, 730_425
	days += base // from 0000-03-01
	eras := floor(days, eraDays)
	inEra := days - eras*eraDays
	inYear := (inEra - inEra/1460 + inEra/36_524 - inEra/146_096) / 365 // of the era
	year := eras*era + inYear
	day := inEra - (365*inYear + inYear/4 - inYear/100)
	month := (5*day + 2) / 153 // from March
	day -= (153*month + 2) / 5
	if month += 3; month > 12 {
		month, year = month-12, year+1
	}
	if before = year <= 0; before {
		year = 1 - year
	}
	if year < 10_000 {
		dst = appendDigits(dst, int(year), 4)
	} else {
		dst = appendInt(dst, int(year))
	}
	dst = appendDigits(append(dst, '-'), int(month), 2)
	return appendDigits(append(dst, '-'), int(day+1), 2), before
}

func appendEra(dst []byte, before bool) []byte {
	if before {
		dst = append(dst, " BC"...)
	}
	return dst
}

// appendClock appends a time of day, with no zeros at the end of its fraction.
func appendClock(dst []byte, micros int64) []byte {
	seconds, fraction := int(micros/1_000_000), int(micros%1_000_000)
	dst = appendDigits(dst, seconds/3600, 2)
	dst = appendDigits(append(dst, ':'), seconds/60%60, 2)
	dst = appendDigits(append(dst, ':'), seconds%60, 2)
	if fraction == 0 {
		return dst
	}
	dst = appendDigits(append(dst, '.'), fraction, 6)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendDigits appends the last digits of a number, leading zeros and all.
func appendDigits(dst []byte, n, digits int) []byte {
	dst = append(dst, "000000"[:digits]...)
	for i := len(dst) - 1; n > 0 && i >= len(dst)-digits; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }
