package mapping

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Expressions are written in expr-lang, and read by its parser. What they mean is
// decided here, since its own machine counts in wrapping integers and in floats,
// and finds out about types and NULL when a row comes: a column has the type of
// the table's shape, a number is exact unless a column is not, and what may be
// NULL is only compared with ==, != and in until ?? says what stands for it.
// Nothing in an expression depends on a time or on another row.

// expression is one that was read.
type expression struct {
	text string
	root ast.Node
}

// longestExpression bounds what is parsed, which recurses.
const longestExpression = 8 << 10

// mistake is what is wrong with an expression, and where.
type mistake struct {
	text   string
	at     int // in characters
	what   string
	remedy string
}

// Error implements error.
func (m *mistake) Error() string { return m.what }

// CheckExpression reads an expression, and checks what can be told without the
// shape of a table. Its errors are CodeBadExpression.
func CheckExpression(text string) error {
	if _, err := parseExpression(text); err != nil {
		return describe(err)
	}
	return nil
}

// describe returns the error for a mistake.
func describe(err error) *rowferry.Error {
	m, ok := err.(*mistake)
	if !ok {
		return rowferry.Errorf(rowferry.CodeInternal, "an expression cannot be read: %w", err)
	}
	e := rowferry.Errorf(rowferry.CodeBadExpression, "%s", m.what).Fact("expression", "%s", m.pointed())
	if m.remedy != "" {
		e.Remedy("write", "%s", m.remedy)
	}
	return e
}

// aboutExpression returns the error for a mistake in a table's expression.
func aboutExpression(err error, table, where string) *rowferry.Error {
	return describe(err).Fact("entity", "%s", table).Fact("key", "%s", where)
}

// pointed is the expression's line with a caret below the place.
func (m *mistake) pointed() string {
	const context = 30
	rs := []rune(strings.NewReplacer("\n", " ", "\t", " ").Replace(m.text))
	at := min(m.at, len(rs))
	lead, tail := "", ""
	if at > context {
		rs, at, lead = rs[at-context:], context, "…"
	}
	if len(rs) > 2*context {
		rs, tail = rs[:2*context], "…"
	}
	return lead + string(rs) + tail + "\n" + strings.Repeat(" ", at+len([]rune(lead))) + "^"
}

// parseExpression reads an expression, and checks what can be told without the
// shape of a table. Its error is a *mistake.
func parseExpression(text string) (*expression, error) {
	if len(text) > longestExpression {
		return nil, &mistake{text: text, what: fmt.Sprintf("an expression of more than %d bytes is not read", longestExpression)}
	}
	tree, err := parser.Parse(text)
	if err != nil {
		m := &mistake{text: text, what: "this is no expression: " + err.Error()}
		if f, ok := err.(*file.Error); ok {
			m.at, m.what = f.From, "this is no expression: "+f.Message
		}
		return nil, m
	}
	x := &expression{text, tree.Node}
	_, err = x.compile(nil)
	return x, err
}

// program is an expression over the columns of one version of a shape.
type program struct {
	node
	uses []int // ordinals of the columns
}

// compile checks the expression against a shape. A nil shape stands for one that
// is not known, in which a column may be of any type: such a program does not run.
func (x *expression) compile(shape *schema.Table) (*program, error) {
	c := &compiler{text: x.text, shape: shape, uses: map[int]bool{}}
	n, err := c.compile(x.root)
	if err != nil {
		return nil, err
	}
	return c.program(n), nil
}

// program is what was compiled, with the columns that it uses.
func (c *compiler) program(n node) *program {
	p := &program{node: n}
	if c.shape != nil {
		for o := range c.shape.Columns {
			if c.uses[o] {
				p.uses = append(p.uses, o)
			}
		}
	}
	return p
}

// compileWhere is compile for a condition.
func (x *expression) compileWhere(shape *schema.Table) (*program, error) {
	p, err := x.compile(shape)
	if err != nil {
		return nil, err
	}
	if p.kind != kindBool || p.nullable {
		return nil, &mistake{text: x.text, what: "a filter is true or false, and this is " + p.typ.String(), remedy: `a comparison, as status == "paid"`}
	}
	return p, nil
}

// holds reports whether a condition is true of a row.
func (p *program) holds(row rowferry.Row) (bool, error) {
	v, err := p.eval(row)
	return err == nil && v == trueValue, err
}

// lacks returns the first of the program's columns that a row does not have, or -1.
func (p *program) lacks(row rowferry.Row) int {
	for _, o := range p.uses {
		if row[o].IsAbsent() {
			return o
		}
	}
	return -1
}

// column returns how a column with the expression's values is declared.
func (p *program) column(name string) schema.Column {
	return schema.Column{Name: name, Nullable: p.nullable, Type: p.typ.declared()}
}
