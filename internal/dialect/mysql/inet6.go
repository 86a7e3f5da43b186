package mysql

import "net/netip"

// AppendInet6 appends an address as MariaDB prints it, which differs from
// RFC 5952: a single group of zeros is shortened too, and the last 32 bits are
// an IPv4 address after six groups of zeros as well.
func AppendInet6(dst []byte, b [16]byte) []byte {
	var words [8]uint16
	gap, gapLen, run := -1, 0, 0
	for i := range words {
		words[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		if words[i] != 0 {
			run = 0
			continue
		}
		if run++; run > gapLen {
			gap, gapLen = i+1-run, run
		}
	}
	v4 := gap == 0 && (gapLen == 6 || gapLen == 5 && words[5] == 0xffff)
	for i := 0; i < len(words); i++ {
		if i == gap {
			dst = append(dst, "::"...)
			i += gapLen - 1
			continue
		}
		if i > 0 && i != gap+gapLen {
			dst = append(dst, ':')
		}
		if v4 && i == 6 {
			return netip.AddrFrom4([4]byte(b[12:])).AppendTo(dst)
		}
		dst = appendHexWord(dst, words[i])
	}
	return dst
}

func appendHexWord(dst []byte, w uint16) []byte {
	const digits = "0123456789abcdef"
	for shift := 12; shift >= 0; shift -= 4 {
		if d := w >> shift; d != 0 || shift == 0 {
			dst = append(dst, digits[d&15])
		}
	}
	return dst
}
