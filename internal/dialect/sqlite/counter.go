package sqlite

import (
	"strings"

	"zombiezen.com/go/sqlite"
)

// Counts reports whether the rowid of the table is counted: INTEGER PRIMARY KEY
// AUTOINCREMENT, whose keys never come again, not even those of deleted rows.
// No pragma tells. The word is reserved, so that where it is not quoted it is
// what makes a table count.
func (x *Existing) Counts() bool {
	return x.RowidAlias >= 0 && strings.Contains(" "+strings.ToUpper(unquoted(x.SQL))+" ", " AUTOINCREMENT ")
}

// unquoted returns the words of a statement, each between spaces, without names
// and texts in quotes, and comments.
func unquoted(sql string) string {
	var b strings.Builder
	for sql != "" {
		end := ""
		switch c := sql[0]; {
		case c == '\'', c == '"', c == '`':
			end = sql[:1] // doubled within, it ends one and begins another
		case c == '[':
			end = "]"
		case strings.HasPrefix(sql, "--"):
			end = "\n"
		case strings.HasPrefix(sql, "/*"):
			end = "*/"
		case c == '_', c == '$', c >= 0x80, '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			b.WriteByte(c)
			sql = sql[1:]
			continue
		}
		b.WriteByte(' ')
		if end == "" {
			sql = sql[1:]
			continue
		}
		from := min(max(len(end), 1), len(sql))
		at := strings.Index(sql[from:], end)
		if at < 0 {
			break
		}
		sql = sql[from+at+len(end):]
	}
	return b.String()
}

// Counter returns the largest key that a table which counts has given, or held.
func Counter(conn *sqlite.Conn, x *Existing) (last int64, err error) {
	read := func(s *sqlite.Stmt) error {
		last = max(last, s.ColumnInt64(0))
		return nil
	}
	// What changes a key does not move the counter, which looks at both.
	name := x.Shape.Name.Table
	err = Query(conn, "SELECT seq FROM sqlite_sequence WHERE name = ?1", read, name)
	if err == nil {
		err = Query(conn, "SELECT max("+Quote(x.Shape.Columns[x.RowidAlias].Name)+") FROM "+Quote(name), read)
	}
	return last, err
}

// SetCounter has a table that counts go on behind last.
func SetCounter(conn *sqlite.Conn, x *Existing, last int64) error {
	err := Exec(conn, "UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1", x.Shape.Name.Table, last)
	if err == nil && conn.Changes() == 0 {
		err = Exec(conn, "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", x.Shape.Name.Table, last)
	}
	return err
}
