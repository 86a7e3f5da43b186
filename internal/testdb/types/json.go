package types

import (
	"fmt"
	"strings"
)

// jsonTexts are documents both servers take.
var jsonTexts = []string{
	`{}`, `[]`, `null`, `true`, `false`, `""`, `"x"`, `0`, `-1`, `1.0`, `1e15`, `1E-7`, `0.1`, `-0.0`,
	`255`, `65536`, `2147483648`, `-2147483649`, `9223372036854775807`, `-9223372036854775808`, `18446744073709551615`, `12345678901234567890`,
	`123456789012345678901234567890`, `1.7976931348623157e308`, `3.14159265358979323846`,
	`{"b": 1, "a": 2, "aa": 3, "": 4}`, `[1, [2, [3, [null, {"k": []}]]]]`, `{"日本": "語", "ß": "😀"}`,
	`"\u0000\u001f\"\\\/\b\f\n\r\t"`, `"é😀\ud83d\ude00"`, `[1.0, 1.5, 100000000000000000000.0]`, `{"a": {"a": {"a": {}}}}`,
}

func jsons() []string {
	var s script
	var rows []string
	for _, text := range jsonTexts {
		rows = append(rows, quote(text))
	}
	// Beyond 64 KB a document is stored in another way.
	large := `{"pad": "` + strings.Repeat("x", 70_000) + `", "n": 1}`
	var many []string
	for i := range 5000 {
		many = append(many, fmt.Sprintf(`"key %d": [%d, "v", null]`, i, i))
	}
	rows = append(rows, quote(large), quote("{"+strings.Join(many, ", ")+"}"), quote("["+repeated("12345678", 20_000)+"]"), "NULL")
	s.table("json_text", "j JSON", rows...)
	s.add("UPDATE json_text SET j = JSON_SET(COALESCE(j, '{}'), '$.new', 1.50) WHERE id IN (1, 27)",
		"UPDATE json_text SET j = JSON_REMOVE(j, '$.n') WHERE JSON_EXTRACT(j, '$.n') = 1",
		"UPDATE json_text SET j = JSON_ARRAY() WHERE id = 2")
	return s
}

// mysqlJSON are values only MySQL's binary form has: decimals, dates, bytes.
func mysqlJSON() []string {
	var s script
	s.table("json_binary", "j JSON",
		"JSON_ARRAY(CAST(0.1 AS DECIMAL(10,1)), CAST(-123456789012345678901234567890.123456789 AS DECIMAL(40,9)), CAST(1 AS DECIMAL(65,30)), CAST(100 AS DECIMAL(3,0)))",
		"JSON_ARRAY(CAST('2024-02-29' AS DATE), CAST('2024-02-29 12:30:45.123456' AS DATETIME(6)), CAST('2024-02-29 12:30:45' AS DATETIME), CAST('0000-00-00' AS DATE))",
		"JSON_ARRAY(CAST('-838:59:59' AS TIME), CAST('12:30:45.5' AS TIME(1)), CAST('-00:00:00.000001' AS TIME(6)), CAST('100:00:00' AS TIME))",
		"JSON_ARRAY(TIMESTAMP('2024-02-29 12:30:45.5'), CAST(2024 AS YEAR))",
		"JSON_ARRAY(CAST(x'DEADBEEF' AS BINARY), x'00FF', b'101')",
		"JSON_ARRAY(1e0, 1e15, 1e16, 1e-5, 1e100, 123456789.125e0, 0.1e0 + 0.2e0, -0e0)",
		"JSON_ARRAY(CAST(18446744073709551615 AS UNSIGNED), CAST(-9223372036854775808 AS SIGNED), TRUE, FALSE, NULL)",
		"CAST(CAST('2024-02-29' AS DATE) AS JSON)", "CAST(CAST(1.50 AS DECIMAL(5,2)) AS JSON)", "CAST(1e15 AS JSON)", "CAST(CAST('10:11:12' AS TIME) AS JSON)",
		"JSON_OBJECT('d', CAST(1.10 AS DECIMAL(5,2)), 'in', JSON_ARRAY(CURRENT_DATE, JSON_OBJECT('k', 1.5e0)))", "NULL")
	s.add("UPDATE json_binary SET j = JSON_ARRAY_APPEND(j, '$', CAST(9.90 AS DECIMAL(4,2))) WHERE id <= 3")
	return s
}
