package types

import (
	"encoding/hex"
	"fmt"

	"github.com/rowferry/rowferry/internal/testdb"
)

// samples are texts that each character set can hold, characters whose second
// byte is a backslash among them.
var samples = []struct {
	charset string
	flavor  testdb.Flavor
	texts   []string
}{
	{charset: "latin1", texts: []string{"Müller ß ÿ €", "Ÿ‰™ ¡", `O'Brien\`}},
	{charset: "latin2", texts: []string{"Žluťoučký kůň", "Łódź"}},
	{charset: "latin5", texts: []string{"İstanbul ığşç"}},
	{charset: "latin7", texts: []string{"Ąžuolas ėū"}},
	{charset: "cp1250", texts: []string{"Příliš žluťoučký €"}},
	{charset: "cp1251", texts: []string{"Съешь же ещё № Ї"}},
	{charset: "cp1256", texts: []string{"مرحبا پژ"}},
	{charset: "cp1257", texts: []string{"Ķēniņš ž €"}},
	{charset: "cp850", texts: []string{"Ñandú ░▒▓"}},
	{charset: "cp852", texts: []string{"Šárka ł"}},
	{charset: "cp866", texts: []string{"Привет ║"}},
	{charset: "koi8r", texts: []string{"Широкая электрификация"}},
	{charset: "koi8u", texts: []string{"Ґанок її є"}},
	{charset: "greek", texts: []string{"Ξεσκεπάζω ψυχοφθόρα"}},
	{charset: "hebrew", texts: []string{"דג סקרן"}},
	{charset: "armscii8", texts: []string{"Բարեւ"}},
	{charset: "geostd8", texts: []string{"გამარჯობა"}},
	{charset: "tis620", texts: []string{"เป็นมนุษย์"}},
	{charset: "macroman", texts: []string{"Åéîøü ∑π"}},
	{charset: "macce", texts: []string{"Žluť ł"}},
	{charset: "dec8", texts: []string{"Müller œ"}},
	{charset: "hp8", texts: []string{"Müller š"}},
	{charset: "keybcs2", texts: []string{"Kôň ďábelské"}},
	{charset: "swe7", texts: []string{"ÅÄÖ åäö É"}},
	{charset: "ascii", texts: []string{"plain ~!\\"}},
	{charset: "gbk", texts: []string{"誠實 中文 运", "乗乗"}},
	{charset: "gb2312", texts: []string{"中文字符"}},
	{charset: "gb18030", flavor: testdb.MySQL, texts: []string{"中文 €", "𠀀 😀 ß"}},
	{charset: "big5", texts: []string{"功許蓋 中文"}},
	{charset: "sjis", texts: []string{"表ソ能 ｶﾀｶﾅ", "日本語"}},
	{charset: "cp932", texts: []string{"表ソ能 ①Ⅲ㈱ 髙", "日本語"}},
	{charset: "ujis", texts: []string{"日本語 ｶﾀｶﾅ", "丂"}},
	{charset: "eucjpms", texts: []string{"日本語 ①Ⅲ㈱"}},
	{charset: "euckr", texts: []string{"한국어 가각"}},
	{charset: "utf8mb3", texts: []string{"Straße 日本語 e\u0301"}},
	{charset: "utf8mb4", texts: []string{"Straße 日本語 😀 👩‍👩‍👧", "\U0010FFFF \uFFFD \uFEFF"}},
	{charset: "ucs2", texts: []string{"Straße 日本語 \uFEFF"}},
	{charset: "utf16", texts: []string{"Straße 日本語 😀"}},
	{charset: "utf16le", texts: []string{"Straße 日本語 😀"}},
	{charset: "utf32", texts: []string{"Straße 日本語 😀"}},
}

// charsets makes one table per character set with all text types, and one whose
// key is text of it.
func charsets(f testdb.Flavor) []string {
	var s script
	for _, c := range samples {
		if c.flavor != "" && c.flavor != f {
			continue
		}
		var rows []string
		for _, text := range append(c.texts, "", "x") {
			rows = append(rows, repeated(quote(text), 6))
		}
		rows = append(rows, repeated("NULL", 6))
		def := func(t string) string { return t + " CHARACTER SET " + c.charset }
		s.table("text_"+c.charset, fmt.Sprintf("c %s, v %s, t1 %s, t2 %s, t3 %s, t4 %s", def("CHAR(30)"), def("VARCHAR(100)"),
			def("TINYTEXT"), def("TEXT"), def("MEDIUMTEXT"), def("LONGTEXT")), rows...)
		s.keyed("text_pk_"+c.charset, def("VARCHAR(60)"), quote(c.texts[0]), "'x'", "''")
		// A label of the character set, in a column of it.
		s.table("enum_"+c.charset, fmt.Sprintf("e ENUM(%s, 'x') CHARACTER SET %s, s SET(%s, 'x') CHARACTER SET %s",
			quote(c.texts[0]), c.charset, quote(c.texts[0]), c.charset), "1, 3", "2, 1", "NULL, 0")
	}
	s.add(everyLatin1Byte()...)
	// The same bytes mean other characters in each of these than in the tables
	// most libraries have: wave dash, double bar, minus, cent, pound, not.
	for charset, bytes := range map[string]string{
		"sjis": "81608161817C8191819281CA", "cp932": "81608161817C8191819281CA",
		"ujis": "A1C1A1C2A1DDA1F1A1F2A2CC", "eucjpms": "A1C1A1C2A1DDA1F1A1F2A2CC",
	} {
		s.table("edges_"+charset, "v VARCHAR(20) CHARACTER SET "+charset, "_"+charset+" x'"+bytes+"'")
	}
	return s
}

// everyLatin1Byte: the server's latin1 is Windows-1252 with the five bytes that
// one leaves open, and zero.
func everyLatin1Byte() []string {
	var s script
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	s.table("latin1_bytes", "v VARCHAR(300) CHARACTER SET latin1", "_latin1 x'"+hex.EncodeToString(all)+"'")
	return s
}
