package mysql

import "strings"

// charsets lists the character sets of MySQL and MariaDB: the built-in default
// collation and the most bytes a character takes. The defaults are the same in
// both and in all versions, except where session variables say otherwise
// (Statement.Collations).
var charsets = map[string]struct {
	collation string
	maxBytes  int
}{
	"armscii8": {"armscii8_general_ci", 1},
	"ascii":    {"ascii_general_ci", 1},
	"big5":     {"big5_chinese_ci", 2},
	"binary":   {"binary", 1},
	"cp1250":   {"cp1250_general_ci", 1},
	"cp1251":   {"cp1251_general_ci", 1},
	"cp1256":   {"cp1256_general_ci", 1},
	"cp1257":   {"cp1257_general_ci", 1},
	"cp850":    {"cp850_general_ci", 1},
	"cp852":    {"cp852_general_ci", 1},
	"cp866":    {"cp866_general_ci", 1},
	"cp932":    {"cp932_japanese_ci", 2},
	"dec8":     {"dec8_swedish_ci", 1},
	"eucjpms":  {"eucjpms_japanese_ci", 3},
	"euckr":    {"euckr_korean_ci", 2},
	"gb18030":  {"gb18030_chinese_ci", 4},
	"gb2312":   {"gb2312_chinese_ci", 2},
	"gbk":      {"gbk_chinese_ci", 2},
	"geostd8":  {"geostd8_general_ci", 1},
	"greek":    {"greek_general_ci", 1},
	"hebrew":   {"hebrew_general_ci", 1},
	"hp8":      {"hp8_english_ci", 1},
	"keybcs2":  {"keybcs2_general_ci", 1},
	"koi8r":    {"koi8r_general_ci", 1},
	"koi8u":    {"koi8u_general_ci", 1},
	"latin1":   {"latin1_swedish_ci", 1},
	"latin2":   {"latin2_general_ci", 1},
	"latin5":   {"latin5_turkish_ci", 1},
	"latin7":   {"latin7_general_ci", 1},
	"macce":    {"macce_general_ci", 1},
	"macroman": {"macroman_general_ci", 1},
	"sjis":     {"sjis_japanese_ci", 2},
	"swe7":     {"swe7_swedish_ci", 1},
	"tis620":   {"tis620_thai_ci", 1},
	"ucs2":     {"ucs2_general_ci", 2},
	"ujis":     {"ujis_japanese_ci", 3},
	"utf16":    {"utf16_general_ci", 4},
	"utf16le":  {"utf16le_general_ci", 4},
	"utf32":    {"utf32_general_ci", 4},
	"utf8mb3":  {"utf8mb3_general_ci", 3},
	"utf8mb4":  {"utf8mb4_general_ci", 4},
}

// collation is a character set with a collation; the collation is empty where
// only the set is known, both where neither is.
type collation struct{ charset, name string }

var binaryCollation = collation{"binary", "binary"}

// foldCharset returns a character set's name as the servers print it today.
func foldCharset(name string) string {
	name = strings.ToLower(name)
	if name == "utf8" {
		return "utf8mb3"
	}
	return name
}

// collationOf returns the collation of a name, with its character set. MariaDB
// has names for several sets ("uca1400_ai_ci"): those belong to charset.
func collationOf(name, charset string) (collation, bool) {
	name = strings.ToLower(name)
	if name == "binary" {
		return binaryCollation, true
	}
	if strings.HasPrefix(name, "uca1400_") {
		if charset == "" {
			return collation{}, false
		}
		return collation{charset, charset + "_" + name}, true
	}
	set, rest, _ := strings.Cut(name, "_")
	set = foldCharset(set)
	if _, ok := charsets[set]; !ok || rest == "" {
		return collation{}, false
	}
	return collation{set, set + "_" + rest}, true
}

// binCollation returns the binary collation of a character set.
func binCollation(charset string) collation {
	if charset == "" || charset == "binary" {
		return collation{charset: charset, name: charset}
	}
	return collation{charset, charset + "_bin"}
}

// defaultCollation returns what a character set means where no collation is
// named. MySQL's utf8mb4 changed its default in 8.0, so without the session's
// own word it is known only for older servers.
func (p *parser) defaultCollation(charset string) collation {
	if name, ok := p.st.Collations[charset]; ok {
		return collation{charset, name}
	}
	if charset == "utf8mb4" && p.cat.flavor == MySQL && !p.dump && p.cat.version >= 80000 {
		return collation{charset: charset}
	}
	return collation{charset, charsets[charset].collation}
}

// MaxBytes returns the most bytes that a character takes in a character set, 4 in
// one that is not known.
func MaxBytes(charset string) int {
	if known, ok := charsets[charset]; ok {
		return known.maxBytes
	}
	return 4
}
