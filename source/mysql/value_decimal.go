package mysql

// digitBytes is how many bytes a group of so many decimal digits takes.
var digitBytes = [10]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

// groupLimit is 1 more than a group of so many digits can be.
var groupLimit = [10]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// decimalWidth returns the bytes of a DECIMAL in row images.
func decimalWidth(precision, scale int) int {
	whole := precision - scale
	return whole/9*4 + digitBytes[whole%9] + scale/9*4 + digitBytes[scale%9]
}

// appendDecimal appends a DECIMAL as the servers print it: with all digits of
// its scale, at least one before the point, and no minus for zero. b has
// decimalWidth bytes (decimal2bin of strings/decimal.c): groups of nine digits
// in four bytes, big-endian, the odd groups outermost; the highest bit is
// inverted, and in a negative number every other one is too. It reports false
// for a group that is more than its digits can say.
func appendDecimal(dst, b []byte, precision, scale int) ([]byte, bool) {
	var plain [maxDecimal]byte
	if len(b) > len(plain) {
		return dst, false
	}
	negative := b[0]&0x80 == 0
	for i, c := range b {
		if negative {
			c = ^c
		}
		plain[i] = c
	}
	plain[0] ^= 0x80
	start, at := len(dst), 0
	if negative {
		dst = append(dst, '-')
	}
	zero, valid, begun := true, true, false
	for left := precision - scale; left > 0; {
		digits := left % 9
		if digits == 0 {
			digits = 9
		}
		left -= digits
		n := big(plain[at : at+digitBytes[digits]])
		at += digitBytes[digits]
		valid = valid && n < groupLimit[digits]
		switch {
		case begun:
			dst = appendPadded(dst, n, 9)
		case n != 0:
			begun, zero = true, false
			dst = appendPadded(dst, n, 1)
		}
	}
	if !begun {
		dst = append(dst, '0')
	}
	if scale > 0 {
		dst = append(dst, '.')
	}
	for left := scale; left > 0; {
		digits := min(left, 9)
		left -= digits
		n := big(plain[at : at+digitBytes[digits]])
		at += digitBytes[digits]
		zero, valid = zero && n == 0, valid && n < groupLimit[digits]
		dst = appendPadded(dst, n, digits)
	}
	if zero && negative {
		dst = append(dst[:start], dst[start+1:]...)
	}
	return dst, valid
}

// maxDecimal is more than the bytes of any DECIMAL: the longest, of 65 digits,
// take 30 or one more.
const maxDecimal = 40
