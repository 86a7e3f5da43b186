package mysql

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/binary"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// charsetFiles holds, per character set that needs a table, what each code is
// in Unicode, and all collations. They were asked of real servers, of both
// kinds, and are checked against them by the tests (-update writes them
// again): MySQL's tables agree with nobody else's in every code.
//
//go:embed charsets
var charsetFiles embed.FS

// form is how a character set is encoded.
type form uint8

const (
	formUTF8  form = iota + 1 // valid UTF-8 as it is
	formTable                 // one to four bytes through tables
	formUCS2
	formUTF16
	formUTF16LE
	formUTF32
)

// charset decodes text of one character set. It is immutable.
type charset struct {
	name string
	form form
	// Of formTable. A table has 0 where the server knows no character, and
	// NUL is not looked up.
	ascii  bool      // bytes below 0x80 are ASCII
	single [256]rune // by byte
	double []rune    // by two bytes, less 0x8000
	triple []rune    // by the last two of three bytes that start with 0x8f, less 0x8000
	four   []rune    // gb18030's four-byte codes, by linear index
}

// maxLen is the most bytes a character takes, as the servers count it for the
// length of a column. 0 means an unknown character set.
func maxLen(charset string) int {
	switch charset {
	case "utf8mb4", "utf16", "utf16le", "utf32", "gb18030":
		return 4
	case "utf8mb3", "utf8", "ujis", "eucjpms":
		return 3
	case "ucs2", "big5", "gbk", "gb2312", "sjis", "cp932", "euckr":
		return 2
	case "armscii8", "ascii", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866",
		"dec8", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2",
		"latin5", "latin7", "macce", "macroman", "swe7", "tis620":
		return 1
	default:
		return 0
	}
}

var charsets sync.Map // name → *charset, of those loaded

// findCharset returns the decoder of a character set, or nil if there is none.
// The first call for a name reads its table.
func findCharset(name string) *charset {
	if c, ok := charsets.Load(name); ok {
		return c.(*charset)
	}
	if maxLen(name) == 0 || name == "binary" {
		return nil
	}
	c := loadCharset(name)
	kept, _ := charsets.LoadOrStore(name, c)
	return kept.(*charset)
}

func loadCharset(name string) *charset {
	c := &charset{name: name, ascii: true}
	switch name {
	case "utf8mb4", "utf8mb3", "utf8":
		c.form = formUTF8
	case "ucs2":
		c.form, c.ascii = formUCS2, false
	case "utf16":
		c.form, c.ascii = formUTF16, false
	case "utf16le":
		c.form, c.ascii = formUTF16LE, false
	case "utf32":
		c.form, c.ascii = formUTF32, false
	default:
		c.form = formTable
		if err := c.readTable(); err != nil {
			panic(err) // the file is part of the program and tests read each
		}
	}
	return c
}

// readTable reads charsets/NAME.gz: lines of a code in hexadecimal and a
// quoted string of the characters of that code and of those that follow it.
func (c *charset) readTable() error {
	packed, err := charsetFiles.ReadFile("charsets/" + c.name + ".gz")
	if err != nil {
		return err
	}
	text, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		hexCode, quoted, _ := strings.Cut(lines.Text(), " ")
		code, err := strconv.ParseUint(hexCode, 16, 32)
		if err != nil {
			return err
		}
		run, err := strconv.Unquote(quoted)
		if err != nil {
			return err
		}
		for _, r := range run {
			c.set(uint32(code), len(hexCode)/2, r)
			code++
		}
	}
	for b := range 0x80 {
		c.ascii = c.ascii && c.single[b] == rune(b)
	}
	return lines.Err()
}

func (c *charset) set(code uint32, width int, r rune) {
	grow := func(t *[]rune, n int) []rune {
		if *t == nil {
			*t = make([]rune, n)
		}
		return *t
	}
	switch width {
	case 1:
		c.single[code] = r
	case 2:
		grow(&c.double, 0x8000)[code-0x8000] = r
	case 3:
		grow(&c.triple, 0x8000)[code&0xffff-0x8000] = r
	default: // a linear index of gb18030, not its code
		grow(&c.four, gb18030Plane)[code] = r
	}
}

// gb18030 has four-byte codes for the basic plane by table and, from
// 0x90308130 on, for the others in order. Both are counted in the order of the
// codes.
const (
	gb18030Plane = 39420
	gb18030Upper = 189000
)

// gb18030Index returns the place of a four-byte code among all, or -1.
func gb18030Index(b []byte) int {
	if b[0] < 0x81 || b[0] > 0xfe || b[1] < 0x30 || b[1] > 0x39 || b[2] < 0x81 || b[2] > 0xfe || b[3] < 0x30 || b[3] > 0x39 {
		return -1
	}
	return ((int(b[0]-0x81)*10+int(b[1]-0x30))*126+int(b[2]-0x81))*10 + int(b[3]-0x30)
}

// verbatim reports whether s is the same in UTF-8.
func (c *charset) verbatim(s string) bool {
	if c.form == formUTF8 {
		return utf8.ValidString(s)
	}
	if !c.ascii {
		return s == ""
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// appendUTF8 appends text in UTF-8. It returns the offset of the first byte
// that is no character, or -1.
func (c *charset) appendUTF8(dst, text []byte) ([]byte, int) {
	for i := 0; i < len(text); {
		r, n := c.next(text[i:])
		if n == 0 {
			return dst, i
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst, -1
}

// next returns the first character of text and its width, which is 0 if there
// is none that the server could say in Unicode.
func (c *charset) next(text []byte) (rune, int) {
	switch c.form {
	case formUTF8:
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			return 0, 0
		}
		return r, n
	case formTable:
		return c.lookUp(text)
	case formUTF32:
		if len(text) < 4 {
			return 0, 0
		}
		r := binary.BigEndian.Uint32(text)
		if r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
			return 0, 0
		}
		return rune(r), 4
	default:
		return c.nextUnits(text)
	}
}

func (c *charset) nextUnits(text []byte) (rune, int) {
	unit := func(b []byte) rune {
		if c.form == formUTF16LE {
			return rune(binary.LittleEndian.Uint16(b))
		}
		return rune(binary.BigEndian.Uint16(b))
	}
	if len(text) < 2 {
		return 0, 0
	}
	r := unit(text)
	if !utf16.IsSurrogate(r) {
		return r, 2
	}
	if c.form == formUCS2 || len(text) < 4 {
		return 0, 0
	}
	if r = utf16.DecodeRune(r, unit(text[2:])); r == utf8.RuneError {
		return 0, 0
	}
	return r, 4
}

func (c *charset) lookUp(b []byte) (rune, int) {
	if b[0] == 0 {
		return 0, 1
	}
	if r := c.single[b[0]]; r != 0 {
		return r, 1
	}
	if c.double == nil || b[0] < 0x80 || len(b) < 2 {
		return 0, 0
	}
	if r := c.double[int(b[0]-0x80)<<8|int(b[1])]; r != 0 {
		return r, 2
	}
	if c.triple != nil && b[0] == 0x8f && len(b) >= 3 && b[1] >= 0x80 {
		if r := c.triple[int(b[1]-0x80)<<8|int(b[2])]; r != 0 {
			return r, 3
		}
	}
	if c.four != nil && len(b) >= 4 {
		i := gb18030Index(b)
		switch {
		case i >= gb18030Upper && i <= gb18030Upper+utf8.MaxRune-0x10000:
			return rune(i - gb18030Upper + 0x10000), 4
		case i >= 0 && i < len(c.four) && c.four[i] != 0:
			return c.four[i], 4
		}
	}
	return 0, 0
}

// collation is what a collation's number stands for.
type collation struct {
	charset string
	name    string
	mariadb string // its name there, where it is another
}

// collations holds both servers' collations by number. A number that both use
// has the same character set and the same order in both.
var collations = sync.OnceValue(func() map[uint64]collation {
	text, err := charsetFiles.ReadFile("charsets/collations.txt")
	if err != nil {
		panic(err) // the file is part of the program
	}
	all := map[uint64]collation{}
	for line := range strings.Lines(string(text)) {
		f := append(strings.Fields(line), "")
		id, err := strconv.ParseUint(f[0], 10, 64)
		if err != nil {
			panic(err)
		}
		all[id] = collation{f[1], f[2], f[3]}
	}
	return all
})

// findCollation returns the character set and the name of a collation; ok is
// false for a number that no known server uses.
func findCollation(id uint64, srv server) (charset, name string, ok bool) {
	c, ok := collations()[id]
	if srv.mariadb && c.mariadb != "" {
		return c.charset, c.mariadb, ok
	}
	return c.charset, c.name, ok
}
