package mysql

import (
	"time"

	"github.com/rowferry/rowferry/schema"
)

// The widths in bytes of fractions and of MariaDB's old times with a fraction,
// by the number of its digits.
var (
	fractionWidth      = [7]int{0, 1, 1, 2, 2, 3, 3}
	hiresTimeWidth     = [7]int{3, 4, 4, 5, 5, 5, 6}
	hiresDateTimeWidth = [7]int{8, 6, 6, 7, 7, 7, 8}
	powersOf10         = [7]uint64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000}
)

func timeField(w *wireColumn, t schema.Type) field {
	f := field{fsp: t.Fsp}
	frac := fractionWidth[t.Fsp]
	switch w.code {
	case wireDate:
		f.op, f.width = opDate, 3
	case wireTime2:
		f.op, f.width = opTime, 3+frac
	case wireDateTime2:
		f.op, f.width = opDateTime, 5+frac
	case wireTimestamp2:
		f.op, f.width = opTimestamp, 4+frac
	case wireTime:
		f.op, f.width = opOldTime, hiresTimeWidth[t.Fsp]
		if t.Fsp > 0 {
			f.op = opHiresTime
		}
	case wireDateTime:
		f.op, f.width = opOldDateTime, hiresDateTimeWidth[t.Fsp]
		if t.Fsp > 0 {
			f.op = opHiresDateTime
		}
	default: // wireTimestamp
		f.op, f.width = opOldTimestamp, 4+frac
		if t.Fsp > 0 {
			f.op = opHiresTimestamp
		}
	}
	return f
}

// appendTime appends a date or time as the servers print it. It reports false
// for bytes that are none.
func appendTime(dst, b []byte, f *field) ([]byte, bool) {
	switch f.op {
	case opDate:
		n := little(b)
		return appendDate(dst, n>>9, n>>5&15, n&31)
	case opTime:
		return appendPackedTime(dst, b, f.fsp)
	case opDateTime:
		n := big(b[:5])
		if n < 1<<39 {
			return dst, false
		}
		return appendDateTime(dst, n-1<<39, fraction(b[5:], f.fsp), f.fsp)
	case opTimestamp, opHiresTimestamp:
		if f.op == opHiresTimestamp {
			// The same bytes, but the fraction counts in the column's own unit.
			return appendTimestamp(dst, big(b[:4]), big(b[4:])*powersOf10[6-f.fsp], f.fsp)
		}
		return appendTimestamp(dst, big(b[:4]), fraction(b[4:], f.fsp), f.fsp)
	case opOldTimestamp:
		return appendTimestamp(dst, little(b), 0, 0)
	case opOldTime:
		n := int64(little(b)<<40) >> 40 // hhmmss in decimal, signed
		neg := n < 0
		if neg {
			n = -n
		}
		return appendClock(dst, neg, uint64(n/10000), uint64(n/100%100), uint64(n%100), 0, 0)
	case opOldDateTime:
		return appendDecimalDateTime(dst, little(b))
	case opHiresTime:
		return appendHiresTime(dst, big(b), f.fsp)
	case opHiresDateTime:
		return appendHiresDateTime(dst, big(b), f.fsp)
	default:
		return dst, false
	}
}

// fraction returns microseconds from the bytes after a time: hundredths, tens
// of thousandths or millionths of a second.
func fraction(b []byte, fsp int) uint64 {
	return big(b) * powersOf10[(6-fsp)/2*2]
}

// appendPackedTime reads TIME since 5.6: a sign bit (inverted), 1 unused bit,
// 10 bits of hours, 6 of minutes, 6 of seconds, then the fraction. The whole
// number is the two's complement of a negative time, fraction included.
func appendPackedTime(dst, b []byte, fsp int) ([]byte, bool) {
	frac := 8 * (len(b) - 3)
	n := int64(big(b)) - 1<<(23+frac)
	neg := n < 0
	if neg {
		n = -n
	}
	hms := uint64(n) >> frac
	micros := uint64(n) & (1<<frac - 1) * powersOf10[(6-fsp)/2*2]
	return appendClock(dst, neg, hms>>12, hms>>6&63, hms&63, micros, fsp)
}

// appendDateTime appends DATETIME since 5.6: 17 bits of year*13+month, 5 of
// day, 5 of hours, 6 of minutes, 6 of seconds.
func appendDateTime(dst []byte, n, micros uint64, fsp int) ([]byte, bool) {
	ym := n >> 22
	dst, ok := appendDate(dst, ym/13, ym%13, n>>17&31)
	if !ok || n>>12&31 > 23 {
		return dst, false
	}
	return appendClock(append(dst, ' '), false, n>>12&31, n>>6&63, n&63, micros, fsp)
}

func appendDecimalDateTime(dst []byte, n uint64) ([]byte, bool) {
	date, clock := n/1_000_000, n%1_000_000
	dst, ok := appendDate(dst, date/10000, date/100%100, date%100)
	if !ok || clock/10000 > 23 {
		return dst, false
	}
	return appendClock(append(dst, ' '), false, clock/10000, clock/100%100, clock%100, 0, 0)
}

// hiresTimeZero is 838:59:59 and a second, from which MariaDB's old times with
// a fraction count, in seconds.
const hiresTimeZero = 838*3600 + 59*60 + 59 + 1

func appendHiresTime(dst []byte, n uint64, fsp int) ([]byte, bool) {
	unit := powersOf10[fsp]
	v := int64(n) - int64(hiresTimeZero*unit)
	neg := v < 0
	if neg {
		v = -v
	}
	s := uint64(v) / unit
	return appendClock(dst, neg, s/3600, s/60%60, s%60, uint64(v)%unit*powersOf10[6-fsp], fsp)
}

func appendHiresDateTime(dst []byte, n uint64, fsp int) ([]byte, bool) {
	unit := powersOf10[fsp]
	s := n / unit
	days := s / 86400
	dst, ok := appendDate(dst, days/32/13, days/32%13, days%32)
	if !ok {
		return dst, false
	}
	return appendClock(append(dst, ' '), false, s/3600%24, s/60%60, s%60, n%unit*powersOf10[6-fsp], fsp)
}

// appendTimestamp appends seconds since 1970 in UTC. All zero is the zero
// timestamp, which is no time.
func appendTimestamp(dst []byte, seconds, micros uint64, fsp int) ([]byte, bool) {
	if seconds == 0 && micros == 0 {
		dst = append(dst, "0000-00-00 "...)
		return appendClock(dst, false, 0, 0, 0, 0, fsp)
	}
	t := time.Unix(int64(seconds), 0).UTC()
	year, month, day := t.Date()
	dst, ok := appendDate(dst, uint64(year), uint64(month), uint64(day))
	if !ok {
		return dst, false
	}
	hour, minute, second := t.Clock()
	return appendClock(append(dst, ' '), false, uint64(hour), uint64(minute), uint64(second), micros, fsp)
}

// appendDate appends a date; zero and partial ones are dates to MySQL.
func appendDate(dst []byte, year, month, day uint64) ([]byte, bool) {
	if year > 9999 || month > 12 || day > 31 {
		return dst, false
	}
	c, y, m, d := 2*(year/100), 2*(year%100), 2*month, 2*day
	return append(dst, pairs[c], pairs[c+1], pairs[y], pairs[y+1], '-', pairs[m], pairs[m+1], '-', pairs[d], pairs[d+1]), true
}

func appendClock(dst []byte, neg bool, hour, minute, second, micros uint64, fsp int) ([]byte, bool) {
	if hour > 838 || minute > 59 || second > 59 || micros > 999_999 {
		return dst, false
	}
	if neg {
		dst = append(dst, '-')
	}
	if hour > 99 {
		dst = append(dst, byte('0'+hour/100))
	}
	h, m, s := 2*(hour%100), 2*minute, 2*second
	dst = append(dst, pairs[h], pairs[h+1], ':', pairs[m], pairs[m+1], ':', pairs[s], pairs[s+1])
	if fsp > 0 {
		dst = appendPadded(append(dst, '.'), micros/powersOf10[6-fsp], fsp)
	}
	return dst, true
}

// pairs are the numbers below 100, two digits each.
var pairs = func() (p [200]byte) {
	for i := range byte(100) {
		p[2*int(i)], p[2*int(i)+1] = '0'+i/10, '0'+i%10
	}
	return p
}()

// appendPadded appends n in decimal with at least width digits, at most 20.
func appendPadded(dst []byte, n uint64, width int) []byte {
	var b [22]byte
	i := len(b)
	for ; n >= 100 || width > 2; width -= 2 {
		i -= 2
		b[i], b[i+1] = pairs[2*(n%100)], pairs[2*(n%100)+1]
		n /= 100
	}
	switch {
	case n >= 10 || width == 2:
		i -= 2
		b[i], b[i+1] = pairs[2*n], pairs[2*n+1]
	case n > 0 || width == 1:
		i--
		b[i] = byte('0' + n)
	}
	return append(dst, b[i:]...)
}
