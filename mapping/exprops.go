package mapping

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/rowferry/rowferry"
)

// ordering compares two values that are not NULL.
type ordering func(a, b rowferry.Value) (int, error)

// comparable returns two operands ready to be compared, and how.
func (c *compiler) comparable(at ast.Node, a, b node) (node, node, ordering, error) {
	a, b, err := c.paired(at, a, b)
	if err != nil {
		return a, b, nil, err
	}
	if a.kind == kindTime || b.kind == kindTime {
		return c.comparableTimes(at, a, b)
	}
	switch {
	case a.kind == kindAny || b.kind == kindAny:
		return a, b, nil, nil
	case a.kind == kindInt && b.kind == kindInt:
		return a, b, func(a, b rowferry.Value) (int, error) { return cmp.Compare(a.Int(), b.Int()), nil }, nil
	case isExact(a.typ) && isExact(b.typ):
		return a, b, compareNumbers, nil
	case a.kind == kindFloat && b.kind == kindFloat:
		return a, b, func(a, b rowferry.Value) (int, error) { return compareFloats(a.Float(), b.Float()) }, nil
	case a.kind == kindText && b.kind == kindText:
		return a, b, func(a, b rowferry.Value) (int, error) { return cmp.Compare(a.Str(), b.Str()), nil }, nil
	case a.kind == kindBool && b.kind == kindBool:
		return a, b, func(a, b rowferry.Value) (int, error) { return cmp.Compare(a.Int(), b.Int()), nil }, nil
	}
	if isNumber(a.typ) && isNumber(b.typ) {
		return a, b, nil, c.wrong(at, "an exact number and a floating-point one cannot be compared without rounding\nfloat(…) around the exact one")
	}
	return a, b, nil, c.wrong(at, "%s cannot be compared with %s", a.typ, b.typ)
}

func compareNumbers(a, b rowferry.Value) (int, error) {
	if a.Kind() == rowferry.Text && a == b {
		return 0, nil
	}
	x, err := number(a)
	if err != nil {
		return 0, err
	}
	y, err := number(b)
	if err != nil {
		return 0, err
	}
	return x.Cmp(y), nil
}

func compareFloats(a, b float64) (int, error) {
	if math.IsNaN(a) || math.IsNaN(b) {
		return 0, fmt.Errorf("NaN is neither more nor less than a number")
	}
	return cmp.Compare(a, b), nil
}

// equal is == and !=. NULL is equal to nil alone.
func (c *compiler) equal(at ast.Node, negated bool, a, b node) (node, error) {
	if a.kind == kindNull || b.kind == kindNull {
		x := a
		if a.kind == kindNull {
			x = b
		}
		if x.eval == nil {
			return known(kindBool), nil
		}
		return made(typ{kind: kindBool}, func(row rowferry.Row) (rowferry.Value, error) {
			v, err := x.eval(row)
			return boolValue(v.IsNull() != negated), err
		}), nil
	}
	a, b, order, err := c.comparable(at, a, b)
	if err != nil || order == nil {
		return known(kindBool), err
	}
	return made(typ{kind: kindBool}, func(row rowferry.Row) (rowferry.Value, error) {
		same, err := equalIn(row, a, b, order)
		return boolValue(same != negated), err
	}), nil
}

func equalIn(row rowferry.Row, a, b node, order ordering) (bool, error) {
	x, err := a.eval(row)
	if err != nil {
		return false, err
	}
	y, err := b.eval(row)
	if err != nil {
		return false, err
	}
	if x.IsNull() || y.IsNull() {
		return x.IsNull() && y.IsNull(), nil
	}
	n, err := order(x, y)
	return n == 0, err
}

// compare is <, <=, > and >=.
func (c *compiler) compare(n *ast.BinaryNode, a, b node) (node, error) {
	if err := c.certain(n, n.Operator, a, b); err != nil {
		return node{}, err
	}
	if a.kind == kindBool || b.kind == kindBool {
		return node{}, c.wrong(n, "true and false have no order")
	}
	a, b, order, err := c.comparable(n, a, b)
	if err != nil || order == nil {
		return known(kindBool), err
	}
	holds := map[string]func(int) bool{
		"<": func(i int) bool { return i < 0 }, "<=": func(i int) bool { return i <= 0 },
		">": func(i int) bool { return i > 0 }, ">=": func(i int) bool { return i >= 0 },
	}[n.Operator]
	return made(typ{kind: kindBool}, func(row rowferry.Row) (rowferry.Value, error) {
		x, y, err := both(row, a, b)
		if err != nil {
			return x, err
		}
		i, err := order(x, y)
		return boolValue(holds(i)), err
	}), nil
}

// certain refuses operands that may be NULL.
func (c *compiler) certain(at ast.Node, operator string, operands ...node) error {
	for _, x := range operands {
		if x.nullable {
			return c.wrong(at, "%s is not defined for NULL, and here is %s\n(column ?? value), which says what stands for NULL", operator, x.typ)
		}
	}
	return nil
}

func both(row rowferry.Row, a, b node) (x, y rowferry.Value, err error) {
	if x, err = a.eval(row); err == nil {
		y, err = b.eval(row)
	}
	return x, y, err
}

// arithmetic is +, -, *, / and %, and + of texts. Nothing overflows or is rounded
// but floating-point numbers.
func (c *compiler) arithmetic(at ast.Node, operator string, a, b node) (node, error) {
	if err := c.certain(at, operator, a, b); err != nil {
		return node{}, err
	}
	a, b, err := c.paired(at, a, b)
	switch {
	case err != nil:
		return node{}, err
	case a.kind == kindAny || b.kind == kindAny:
		return known(kindAny), nil
	case a.kind == kindText && b.kind == kindText && operator == "+":
		return made(typ{kind: kindText}, func(row rowferry.Row) (rowferry.Value, error) {
			x, y, err := both(row, a, b)
			return rowferry.TextValue(x.Str() + y.Str()), err
		}), nil
	case a.kind == kindFloat && b.kind == kindFloat && operator != "%":
		return floats(operator, a, b), nil
	case isExact(a.typ) && isExact(b.typ) && operator == "/":
		return node{}, c.wrong(at, "a division of exact numbers would round\nfloat(…) / float(…)")
	case a.kind == kindInt && b.kind == kindInt:
		return integers(operator, a, b), nil
	case isExact(a.typ) && isExact(b.typ) && operator != "%":
		return c.decimals(at, operator, a, b)
	case isNumber(a.typ) && isNumber(b.typ) && operator != "%":
		return node{}, c.wrong(at, "an exact number and a floating-point one cannot be counted together without rounding\nfloat(…) around the exact one")
	}
	return node{}, c.wrong(at, "%s is not defined for %s and %s\ntext(…), to make text of it", operator, a.typ, b.typ)
}

func floats(operator string, a, b node) node {
	return made(typ{kind: kindFloat}, func(row rowferry.Row) (rowferry.Value, error) {
		v, w, err := both(row, a, b)
		if err != nil {
			return v, err
		}
		x, y := v.Float(), w.Float()
		switch operator {
		case "+":
			x += y
		case "-":
			x -= y
		case "*":
			x *= y
		default:
			if y == 0 {
				return v, fmt.Errorf("division by zero")
			}
			x /= y
		}
		return rowferry.FloatValue(x), nil
	})
}

func integers(operator string, a, b node) node {
	return made(typ{kind: kindInt}, func(row rowferry.Row) (rowferry.Value, error) {
		v, w, err := both(row, a, b)
		if err != nil {
			return v, err
		}
		x, y, z := big.NewInt(v.Int()), big.NewInt(w.Int()), new(big.Int)
		switch operator {
		case "+":
			z.Add(x, y)
		case "-":
			z.Sub(x, y)
		case "*":
			z.Mul(x, y)
		default:
			if y.Sign() == 0 {
				return v, fmt.Errorf("division by zero")
			}
			z.Rem(x, y)
		}
		if !z.IsInt64() {
			return v, fmt.Errorf("%s %s %s is beyond 64 bits", v, operator, w)
		}
		return rowferry.IntValue(z.Int64()), nil
	})
}

// decimals counts with exact numbers. The result has as many digits as it needs.
func (c *compiler) decimals(at ast.Node, operator string, a, b node) (node, error) {
	x, y := asDecimal(a.typ), asDecimal(b.typ)
	if x.precision == 0 || y.precision == 0 {
		return node{}, c.wrong(at, "how many digits a numeric has is not known where its column does not say it, so that it can be compared but not counted with")
	}
	t := typ{kind: kindDecimal}
	if operator == "*" {
		t.precision, t.scale = x.precision+y.precision, x.scale+y.scale
	} else {
		t.scale = max(x.scale, y.scale)
		t.precision = max(x.precision-x.scale, y.precision-y.scale) + t.scale + 1
	}
	if t.precision > mostDigits || t.scale > mostScale {
		return node{}, c.wrong(at, "the result may have %d digits, %d of them behind the point, and no column holds more than %d and %d", t.precision, t.scale, mostDigits, mostScale)
	}
	return made(t, func(row rowferry.Row) (rowferry.Value, error) {
		v, w, err := both(row, a, b)
		if err != nil {
			return v, err
		}
		m, err := number(v)
		if err != nil {
			return v, err
		}
		n, err := number(w)
		if err != nil {
			return v, err
		}
		switch operator {
		case "+":
			m.Add(m, n)
		case "-":
			m.Sub(m, n)
		default:
			m.Mul(m, n)
		}
		return rowferry.TextValue(m.FloatString(t.scale)), nil
	}), nil
}

// in looks for a value in a list. NULL is in none.
func (c *compiler) in(n *ast.BinaryNode, a node) (node, error) {
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return node{}, c.wrong(n, "in takes a list that is written out\nstatus in [\"paid\", \"sent\"]")
	}
	set, words := map[string]bool{}, a.kind == kindText
	alternatives := make([]node, 0, len(list.Nodes))
	eval := a.eval != nil
	for _, e := range list.Nodes {
		b, err := c.compile(e)
		if err != nil {
			return node{}, err
		}
		if b.kind == kindNull {
			return node{}, c.wrong(e, "NULL is in no list\ncolumn == nil or column in […]")
		}
		one, err := c.equal(e, false, a, b)
		if err != nil {
			return node{}, err
		}
		if words = words && b.literal; words {
			set[b.value.Str()] = true
		}
		alternatives, eval = append(alternatives, one), eval && one.eval != nil
	}
	switch {
	case !eval:
		return known(kindBool), nil
	case words:
		return made(typ{kind: kindBool}, func(row rowferry.Row) (rowferry.Value, error) {
			v, err := a.eval(row)
			return boolValue(!v.IsNull() && set[v.Str()]), err
		}), nil
	}
	return made(typ{kind: kindBool}, func(row rowferry.Row) (rowferry.Value, error) {
		for _, one := range alternatives {
			if v, err := one.eval(row); err != nil || v == trueValue {
				return v, err
			}
		}
		return falseValue, nil
	}), nil
}

// comparedOperators are those that read a text's beginning, middle and end.
var comparedOperators = map[string]func(s, sub string) bool{
	"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix,
}
