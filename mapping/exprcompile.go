package mapping

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// compiler checks an expression against a shape, and makes what computes it.
type compiler struct {
	text  string
	shape *schema.Table // nil where it is not known
	uses  map[int]bool
}

// wrong returns a mistake at a node. A second line in the sentence is the remedy.
func (c *compiler) wrong(at ast.Node, format string, args ...any) error {
	what, remedy, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	return &mistake{text: c.text, at: at.Location().From, what: what, remedy: remedy}
}

// compile makes a node of an expression's part. What expr-lang has beside, it does
// not take.
func (c *compiler) compile(n ast.Node) (node, error) {
	switch n := n.(type) {
	case *ast.NilNode:
		return written(typ{kind: kindNull, nullable: true}, rowferry.NullValue()), nil
	case *ast.BoolNode:
		return written(typ{kind: kindBool}, boolValue(n.Value)), nil
	case *ast.IntegerNode:
		return written(typ{kind: kindInt}, rowferry.IntValue(int64(n.Value))), nil
	case *ast.FloatNode:
		return written(typ{kind: kindFloat}, rowferry.FloatValue(n.Value)), nil
	case *ast.StringNode:
		return written(typ{kind: kindText}, rowferry.TextValue(n.Value)), nil
	case *ast.IdentifierNode:
		return c.columnOf(n, n.Value)
	case *ast.MemberNode:
		env, isEnv := n.Node.(*ast.IdentifierNode)
		name, isText := n.Property.(*ast.StringNode)
		if !isEnv || env.Value != "$env" || !isText {
			return node{}, c.wrong(n, "a column has no members\n$env[\"a name\"], for a column whose name is not a word")
		}
		return c.columnOf(n, name.Value)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.CallNode:
		name, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			return node{}, c.wrong(n, "only functions can be called")
		}
		return c.call(n, name.Value, n.Arguments)
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments)
	default:
		return node{}, c.wrong(n, "this part of the expression language is not taken here: a row has columns, and no lists, maps or variables")
	}
}

func written(t typ, v rowferry.Value) node {
	return node{typ: t, literal: true, value: v, column: -1, eval: func(rowferry.Row) (rowferry.Value, error) { return v, nil }}
}

// columnOf is a column of the row.
func (c *compiler) columnOf(at ast.Node, name string) (node, error) {
	if c.shape == nil {
		return node{typ: typ{kind: kindAny}, column: -1}, nil
	}
	o := c.shape.Column(name)
	if o < 0 {
		for _, x := range c.shape.Columns {
			if strings.EqualFold(x.Name, name) {
				return node{}, c.wrong(at, "table %s has no column %s\n%s", c.shape.Name, name, x.Name)
			}
		}
		return node{}, c.wrong(at, "table %s has no column %s", c.shape.Name, name)
	}
	c.uses[o] = true
	return columnNode(c.shape.Columns[o], o), nil
}

func (c *compiler) unary(n *ast.UnaryNode) (node, error) {
	x, err := c.compile(n.Node)
	if err != nil {
		return node{}, err
	}
	switch n.Operator {
	case "!", "not":
		if x.kind == kindAny {
			return known(kindBool), nil
		}
		if x.kind != kindBool || x.nullable {
			return node{}, c.wrong(n, "not is of true or false, and this is %s", x.typ)
		}
		return made(typ{kind: kindBool}, func(row rowferry.Row) (rowferry.Value, error) {
			v, err := x.eval(row)
			return boolValue(v == falseValue), err
		}), nil
	case "-", "+":
		return c.negate(n, x)
	default:
		return node{}, c.wrong(n, "the operator %s is not taken here", n.Operator)
	}
}

// negate is a number with a sign. Of one that is not written out it is a
// difference, which may overflow.
func (c *compiler) negate(n *ast.UnaryNode, x node) (node, error) {
	switch {
	case n.Operator == "+" && (x.kind == kindAny || isNumber(x.typ) && !x.nullable):
		return x, nil
	case x.literal && x.kind == kindInt:
		return written(x.typ, rowferry.IntValue(-x.value.Int())), nil
	case x.literal && x.kind == kindFloat:
		return written(x.typ, rowferry.FloatValue(-x.value.Float())), nil
	default:
		zero := written(typ{kind: kindInt}, rowferry.IntValue(0))
		return c.arithmetic(n, "-", zero, x)
	}
}

func (c *compiler) binary(n *ast.BinaryNode) (node, error) {
	a, err := c.compile(n.Left)
	if err != nil {
		return node{}, err
	}
	if n.Operator == "in" {
		return c.in(n, a)
	}
	b, err := c.compile(n.Right)
	if err != nil {
		return node{}, err
	}
	switch n.Operator {
	case "==", "!=":
		return c.equal(n, n.Operator == "!=", a, b)
	case "<", "<=", ">", ">=":
		return c.compare(n, a, b)
	case "+", "-", "*", "/", "%":
		return c.arithmetic(n, n.Operator, a, b)
	case "&&", "and", "||", "or":
		return c.logic(n, a, b)
	case "??":
		return c.coalesce(n, a, b)
	case "contains", "startsWith", "endsWith", "matches":
		return c.search(n, a, b)
	default:
		return node{}, c.wrong(n, "the operator %s is not taken here", n.Operator)
	}
}

// known is a node of a shape that is not known.
func known(k kind) node { return node{typ: typ{kind: k}, column: -1} }

func made(t typ, eval func(rowferry.Row) (rowferry.Value, error)) node {
	return node{typ: t, eval: eval, column: -1}
}

func isNumber(t typ) bool { return t.kind == kindInt || t.kind == kindDecimal || t.kind == kindFloat }

// logic is && and ||, which look at the right side only where it matters.
func (c *compiler) logic(n *ast.BinaryNode, a, b node) (node, error) {
	for _, x := range []node{a, b} {
		if x.kind != kindAny && (x.kind != kindBool || x.nullable) {
			return node{}, c.wrong(n, "%s is between what is true or false, and here is %s", n.Operator, x.typ)
		}
	}
	if a.eval == nil || b.eval == nil {
		return known(kindBool), nil
	}
	decides := boolValue(n.Operator == "||" || n.Operator == "or")
	return made(typ{kind: kindBool}, func(row rowferry.Row) (rowferry.Value, error) {
		if v, err := a.eval(row); err != nil || v == decides {
			return v, err
		}
		return b.eval(row)
	}), nil
}

// coalesce is the right side where the left is NULL.
func (c *compiler) coalesce(n *ast.BinaryNode, a, b node) (node, error) {
	t, left, right, err := c.either(n, a, b)
	if err != nil || left.eval == nil || right.eval == nil {
		return node{typ: t, column: -1}, err
	}
	t.nullable = a.nullable && b.nullable
	return made(t, func(row rowferry.Row) (rowferry.Value, error) {
		v, err := left.eval(row)
		if err != nil || !v.IsNull() {
			return v, err
		}
		return right.eval(row)
	}), nil
}

func (c *compiler) conditional(n *ast.ConditionalNode) (node, error) {
	cond, err := c.compile(n.Cond)
	if err != nil {
		return node{}, err
	}
	if cond.kind != kindAny && (cond.kind != kindBool || cond.nullable) {
		return node{}, c.wrong(n.Cond, "a condition is true or false, and this is %s", cond.typ)
	}
	a, err := c.compile(n.Exp1)
	if err != nil {
		return node{}, err
	}
	b, err := c.compile(n.Exp2)
	if err != nil {
		return node{}, err
	}
	t, a, b, err := c.either(n, a, b)
	if err != nil || cond.eval == nil || a.eval == nil || b.eval == nil {
		return node{typ: t, column: -1}, err
	}
	return made(t, func(row rowferry.Row) (rowferry.Value, error) {
		v, err := cond.eval(row)
		switch {
		case err != nil:
			return v, err
		case v == trueValue:
			return a.eval(row)
		default:
			return b.eval(row)
		}
	}), nil
}

// either returns two nodes as ones of their common type.
func (c *compiler) either(at ast.Node, a, b node) (typ, node, node, error) {
	a, b, err := c.paired(at, a, b)
	if err != nil {
		return typ{}, a, b, err
	}
	t, ok := common(a.typ, b.typ)
	if !ok {
		return t, a, b, c.wrong(at, "one side is %s and the other %s, of which no column is both", a.typ, b.typ)
	}
	return t, as(a, t), as(b, t), nil
}

// as returns an exact number with the digits of a decimal type.
func as(n node, t typ) node {
	if t.kind != kindDecimal || t.precision == 0 || n.eval == nil {
		return n
	}
	return made(t, func(row rowferry.Row) (rowferry.Value, error) {
		v, err := n.eval(row)
		if err != nil || v.IsNull() {
			return v, err
		}
		r, err := number(v)
		if err != nil {
			return v, err
		}
		return rowferry.TextValue(r.FloatString(t.scale)), nil
	})
}

// mostLiteral is how many digits of a number with a point are surely those that
// were written.
const mostLiteral = 15

// paired makes two operands alike where one is a number that is written out: with a
// point, it is exact beside an exact number; without, floating beside a floating one.
func (c *compiler) paired(at ast.Node, a, b node) (node, node, error) {
	pair := func(n, other node) (node, error) {
		switch {
		case !n.literal:
			return n, nil
		case n.kind == kindFloat && isExact(other.typ):
			text := strconv.FormatFloat(n.value.Float(), 'f', -1, 64)
			whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
			if len(whole)+len(fraction) > mostLiteral {
				return n, c.wrong(at, "a number of so many digits is not kept exactly\ndecimal(\"…\")")
			}
			return written(typ{kind: kindDecimal, precision: len(whole) + len(fraction), scale: len(fraction)}, rowferry.TextValue(text)), nil
		case n.kind == kindInt && other.kind == kindFloat:
			f := float64(n.value.Int())
			if int64(f) != n.value.Int() {
				return n, c.wrong(at, "no floating-point number is %d", n.value.Int())
			}
			return written(typ{kind: kindFloat}, rowferry.FloatValue(f)), nil
		default:
			return n, nil
		}
	}
	x, err := pair(a, b)
	if err != nil {
		return a, b, err
	}
	y, err := pair(b, a)
	return x, y, err
}
