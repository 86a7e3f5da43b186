package mysql

import (
	"fmt"
	"strings"

	tidb "github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // literal values; the other driver is the whole of TiDB
)

// library is the SQL parser. It is made on first use: it takes some megabytes.
type library struct{ p *tidb.Parser }

// read has the library read definitions, and hands each what came of it.
func (l *library) read(defs []*definition, mode SQLMode) error {
	var b strings.Builder
	b.WriteString("CREATE TABLE t (")
	sep := ""
	for _, d := range defs {
		if d.sql != "" {
			b.WriteString(sep)
			b.WriteString(d.sql)
			sep = ",\n"
		}
	}
	if sep == "" {
		return nil
	}
	b.WriteByte(')')
	st, err := l.parse(b.String(), mode)
	if err != nil {
		return err
	}
	cols, cons := st.Cols, st.Constraints
	for _, d := range defs {
		switch {
		case d.sql == "":
		case d.what == defColumn && len(cols) > 0:
			d.col, cols = cols[0], cols[1:]
		case d.what == defKey && len(cons) > 0:
			d.cons, cons = cons[0], cons[1:]
		default:
			return fmt.Errorf("%w: a definition means something else to the parser", errSyntax)
		}
	}
	if len(cols)+len(cons) > 0 {
		return fmt.Errorf("%w: a definition means several things to the parser", errSyntax)
	}
	return nil
}

// parse reads one CREATE TABLE. A panic of the library is an error here; its
// parser is not used again.
func (l *library) parse(sql string, mode SQLMode) (st *ast.CreateTableStmt, err error) {
	defer func() {
		if r := recover(); r != nil {
			l.p = nil
			st, err = nil, fmt.Errorf("the SQL parser failed: %v", r)
		}
	}()
	if l.p == nil {
		l.p = tidb.New()
	}
	var m mysql.SQLMode
	if mode&RealAsFloat != 0 {
		m = mysql.ModeRealAsFloat
	}
	l.p.SetSQLMode(m)
	node, err := l.p.ParseOneStmt(sql, "", "")
	if err != nil {
		return nil, err
	}
	st, ok := node.(*ast.CreateTableStmt)
	if !ok {
		return nil, fmt.Errorf("%w: not a CREATE TABLE", errSyntax)
	}
	return st, nil
}
