package types

import (
	"fmt"
	"strings"
)

// perPrecision lists a type of every fractional precision: "t0 TIME(0), …".
func perPrecision(prefix, typ, rest string) string { return columns(prefix, 0, 6, typ+"(%d)"+rest) }

// same gives all precisions the value with as many digits as each holds, so that
// nothing is rounded past the extreme.
func same(whole, fraction string) string {
	var all []string
	for digits := range 7 {
		all = append(all, fmt.Sprintf("'%s'", strings.TrimSuffix(whole+"."+fraction[:digits], ".")))
	}
	return strings.Join(all, ", ")
}

func temporal() []string {
	var s script
	s.table("date_all", "d DATE, y YEAR", "'0000-00-00', 0", "'2025-00-15', 1901", "'2025-02-00', 2155", "'0000-01-01', 1970", "'1000-01-01', 2000",
		"'9999-12-31', 2024", "'2024-02-29', 69", "'1900-01-01', 70", "'0001-01-01', '0000'", "NULL, NULL")
	s.keyed("date_pk", "DATE", "'0000-00-00'", "'9999-12-31'", "'2025-00-15'", "'2025-01-15'")
	s.keyed("year_pk", "YEAR", "2155", "1901", "0")
	s.table("time_all", perPrecision("t", "TIME", ""),
		same("838:59:59", "000000"), same("-838:59:59", "000000"), same("838:59:58", "999999"), same("-838:59:58", "999999"),
		same("00:00:00", "000000"), same("00:00:00", "000001"), same("-00:00:00", "000001"), same("-00:00:00", "999999"), same("-00:00:01", "500000"),
		same("-01:00:00", "000000"), same("23:59:59", "999999"), same("-507:12:34", "123456"), same("100:00:00", "100000"), repeated("NULL", 7))
	s.keyed("time_pk", "TIME(3)", "'-838:59:59'", "'00:00:00.001'", "'-00:00:00.001'", "'838:59:59'")
	s.table("datetime_all", perPrecision("d", "DATETIME", ""),
		same("1000-01-01 00:00:00", "000000"), same("9999-12-31 23:59:59", "999999"), same("0000-00-00 00:00:00", "000000"),
		same("2025-00-15 10:11:12", "123456"), same("2025-02-00 00:00:00", "500000"), same("0001-01-01 00:00:00", "000001"), same("2024-02-29 12:30:45", "120000"),
		same("1970-01-01 00:00:00", "000000"), same("2025-03-30 02:30:00", "000000"), repeated("NULL", 7))
	s.keyed("datetime_pk", "DATETIME(6)", "'9999-12-31 23:59:59.999999'", "'0000-00-00 00:00:00'", "'2024-02-29 12:30:45.000001'")
	s.table("timestamp_all", perPrecision("t", "TIMESTAMP", " NULL"),
		same("1970-01-01 00:00:01", "000000"), same("2038-01-19 03:14:07", "999999"), same("0000-00-00 00:00:00", "000000"),
		same("2024-02-29 12:30:45", "123456"), same("1970-01-01 00:00:01", "000001"), repeated("NULL", 7))
	s.keyed("timestamp_pk", "TIMESTAMP(6)", "'2038-01-19 03:14:07.999999'", "'1970-01-01 00:00:01'", "'0000-00-00 00:00:00'")
	s.table("timestamp_auto", "c TIMESTAMP DEFAULT CURRENT_TIMESTAMP, u TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), d DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6)",
		"DEFAULT, DEFAULT, DEFAULT", "'2020-01-01', '2020-01-01', '2020-01-01'")
	return s
}

// edges are moments around the changes of clocks in Central Europe and North
// America in 2025, and either side of half past.
var edges = []int64{
	1743296399, 1743296400, 1743299999, // 30 March, 02:00 is skipped
	1761438600, 1761440399, 1761440400, 1761442200, 1761444000, // 26 October, 02:00 to 03:00 comes twice
	1741503599, 1741503600, 1762063199, 1762063200, 1762066800, // New York
	1, 2147483647,
}

// zones writes the same instants from sessions of several time zones, the
// server's own among them; a DATETIME keeps what it was told, in any of them.
func zones() []string {
	var s script
	s.add("CREATE TABLE zone_edges (zone VARCHAR(10) NOT NULL, sec BIGINT NOT NULL, ts TIMESTAMP(6) NULL, dt DATETIME(6), ver INT NOT NULL DEFAULT 0, PRIMARY KEY (zone, sec))")
	for _, zone := range []string{"+00:00", "+05:30", "-11:00", "+13:00", "SYSTEM"} {
		s.add("SET SESSION time_zone = '" + zone + "'")
		for _, sec := range edges {
			s.add(fmt.Sprintf("INSERT INTO zone_edges (zone, sec, ts, dt) VALUES ('%s', %d, FROM_UNIXTIME(%d), FROM_UNIXTIME(%d.123456))", zone, sec, sec, sec))
		}
		s.add("UPDATE zone_edges SET ver = ver + 1 WHERE zone = '"+zone+"'",
			"INSERT INTO zone_edges (zone, sec, ts, dt) VALUES ('"+zone+"', -1, '2025-03-30 01:30:00', '2025-03-30 02:30:00')",
			"INSERT INTO zone_edges (zone, sec, ts, dt) VALUES ('"+zone+"', -2, '2025-10-26 02:30:00', '2025-10-26 02:30:00')",
			"DELETE FROM zone_edges WHERE zone = '"+zone+"' AND sec = 1")
	}
	s.add("SET SESSION time_zone = '+00:00'")
	return s
}
