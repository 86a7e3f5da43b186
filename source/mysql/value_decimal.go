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
	var mask byte
	if b[0]&0x80 == 0 {
		mask = 0xff
	}
	start := len(dst)
	if mask != 0 {
		dst = append(dst, '-')
	}
	whole := precision - scale
	first := byte(0x80)
	zero, valid := true, true
	group := func(digits int) uint64 {
		n := uint64(0)
		for _, c := range b[:digitBytes[digits]] {
			n = n<<8 | uint64(c^mask^first)
			first = 0
		}
		b = b[digitBytes[digits]:]
		zero = zero && n == 0
		valid = valid && n < groupLimit[digits]
		return n
	}
	begun := false
	for left := whole; left > 0; {
		digits := left % 9
		if digits == 0 {
			digits = 9
		}
		left -= digits
		switch n := group(digits); {
		case begun:
			dst = appendPadded(dst, n, 9)
		case n != 0:
			begun = true
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
		dst = appendPadded(dst, group(digits), digits)
	}
	if zero && mask != 0 {
		dst = append(dst[:start], dst[start+1:]...)
	}
	return dst, valid
}
