package types

import (
	"fmt"
	"strings"
)

// widths are the integer types with their extremes.
var widths = []struct{ name, min, max, umax string }{
	{"TINYINT", "-128", "127", "255"},
	{"SMALLINT", "-32768", "32767", "65535"},
	{"MEDIUMINT", "-8388608", "8388607", "16777215"},
	{"INT", "-2147483648", "2147483647", "4294967295"},
	// Beyond 2^63-1 see CreateBigUnsigned.
	{"BIGINT", "-9223372036854775808", "9223372036854775807", "9223372036854775807"},
}

func integers() []string {
	var s script
	var signed, unsigned, minima, maxima, umaxima []string
	for _, w := range widths {
		signed = append(signed, "s_"+w.name+" "+w.name)
		unsigned = append(unsigned, "u_"+w.name+" "+w.name+" UNSIGNED")
		minima = append(minima, w.min)
		maxima = append(maxima, w.max)
		umaxima = append(umaxima, w.umax)
	}
	list := func(parts ...[]string) string {
		var all []string
		for _, p := range parts {
			all = append(all, p...)
		}
		return strings.Join(all, ", ")
	}
	zeros := strings.Split(repeated("0", 5), ", ")
	s.table("int_all", list(signed, unsigned),
		list(minima, zeros), list(maxima, umaxima), list(zeros, maxima), repeated("-1, NULL", 5), repeated("1", 10), repeated("NULL", 10))
	s.table("int_more", "b BOOL, z INT(7) ZEROFILL, zz BIGINT(20) ZEROFILL, w INT(3)", "TRUE, 42, 42, 123456", "FALSE, 0, 0, -1", "127, 4294967295, 1, NULL")
	for _, w := range widths {
		s.keyed("int_pk_"+w.name, w.name, w.min, w.max, "0", "-1", "1")
		s.keyed("int_pk_u_"+w.name, w.name+" UNSIGNED", w.umax, "0", "1", w.umax+"-1")
	}
	return s
}

func bits() []string {
	var s script
	each := func(value func(n int) string) string {
		var all []string
		for n := 1; n <= 64; n++ {
			all = append(all, value(n))
		}
		return strings.Join(all, ", ")
	}
	s.table("bit_all", columns("b", 1, 64, "BIT(%d)"),
		each(func(n int) string { return "b'" + strings.Repeat("1", n) + "'" }),
		each(func(n int) string { return "b'1" + strings.Repeat("0", n-1) + "'" }),
		each(func(n int) string { return "b'" + strings.Repeat("01", 32)[64-n:] + "'" }),
		repeated("b'1'", 64), repeated("b'0'", 64), repeated("NULL", 64))
	s.keyed("bit_pk", "BIT(12)", "b'111111111111'", "b'0'", "b'100000000000'", "b'11111111'")
	s.keyed("bit_pk64", "BIT(64)", "b'"+strings.Repeat("1", 64)+"'", "b'0'", "b'1"+strings.Repeat("0", 63)+"'")
	return s
}

func decimals() []string {
	var s script
	nines := strings.Repeat("9", 35) + "." + strings.Repeat("9", 30)
	tiny := "0." + strings.Repeat("0", 29) + "1"
	s.table("decimal_max", "d DECIMAL(65,30), i DECIMAL(65,0), n NUMERIC(38,0), f DECIMAL(30,30), u DECIMAL(20,5) UNSIGNED",
		nines+", "+strings.Repeat("9", 65)+", "+strings.Repeat("9", 38)+", 0."+strings.Repeat("9", 30)+", 999999999999999.99999",
		"-"+nines+", -"+strings.Repeat("9", 65)+", -"+strings.Repeat("9", 38)+", -0."+strings.Repeat("9", 30)+", 0",
		tiny+", 0, 0, "+tiny+", 0.00001", "-"+tiny+", -1, 1, -"+tiny+", 1",
		"0, 0, -0, 0, 0", "1.5, 100000000000000000000, 1000000000, 0.1, 1000000000.1", repeated("NULL", 5))
	// Every number of digits before and after the point, since they are stored in
	// groups of nine.
	var defs, most, least, one []string
	for before := 0; before <= 10; before++ {
		for after := 0; after <= 10; after++ {
			if before+after > 0 {
				defs = append(defs, fmt.Sprintf("d%d_%d DECIMAL(%d,%d)", before, after, before+after, after))
				v := strings.Repeat("9", before) + "." + strings.Repeat("9", after)
				most, least = append(most, strings.TrimSuffix(v, ".")), append(least, "-"+strings.TrimSuffix(v, "."))
				one = append(one, map[bool]string{true: "1", false: "0." + strings.Repeat("0", max(after-1, 0)) + "1"}[before > 0])
			}
		}
	}
	s.table("decimal_digits", strings.Join(defs, ", "), strings.Join(most, ", "), strings.Join(least, ", "), strings.Join(one, ", "), repeated("0", len(defs)), repeated("NULL", len(defs)))
	s.keyed("decimal_pk", "DECIMAL(40,20)", "-12345678901234567890.00000000000000000001", "0", "0.1", "0.10000000000000000001", "12345678901234567890")
	return s
}

func floats() []string {
	var s script
	s.table("float_all", "f FLOAT, d DOUBLE, f2 FLOAT(7,3), d2 DOUBLE(12,4), fu FLOAT UNSIGNED, p53 FLOAT(53)",
		"1.1, 1.1, 1.1, 1.1, 1.1, 1.1", "0.1, 0.1 + 0.2e0, 9999.999, 99999999.9999, 0, 1e308",
		"3.402823466e38, 1.7976931348623157e308, -9999.999, -99999999.9999, 3.4e38, -1.7976931348623157e308",
		"-3.402823466e38, -1.7976931348623157e308, 0, 0, 1e-30, 5e-324",
		"1.175494351e-38, 2.2250738585072014e-308, 0.001, 0.0001, 1, 1",
		"16777217, 9007199254740993, 123.456, 123.4567, 16777216, 9007199254740991",
		"1e15, 1e15, 1, 1, 1e15, 123456789012345680", "3, 2.718281828459045, 1, 1, 7, 1e-7",
		"0, 0, 0, 0, 0, 0", repeated("NULL", 6))
	s.add("UPDATE float_all SET f = f * 3, d = d / 3 WHERE id IN (1, 8)")
	return s
}
