package mapping

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// search is contains, startsWith, endsWith and matches.
func (c *compiler) search(n *ast.BinaryNode, a, b node) (node, error) {
	if err := c.certain(n, n.Operator, a, b); err != nil {
		return node{}, err
	}
	for _, x := range []node{a, b} {
		if x.kind != kindText && x.kind != kindAny {
			return node{}, c.wrong(n, "%s is of texts, and here is %s\ntext(…), to make text of it", n.Operator, x.typ)
		}
	}
	find := comparedOperators[n.Operator]
	if find == nil {
		if !b.literal {
			return node{}, c.wrong(n, "matches takes a pattern that is written out")
		}
		pattern, err := regexp.Compile(b.value.Str())
		if err != nil {
			return node{}, c.wrong(n.Right, "%v", err)
		}
		find = func(s, _ string) bool { return pattern.MatchString(s) }
	}
	if a.eval == nil || b.eval == nil {
		return known(kindBool), nil
	}
	return made(typ{kind: kindBool}, func(row rowferry.Row) (rowferry.Value, error) {
		x, y, err := both(row, a, b)
		return boolValue(err == nil && find(x.Str(), y.Str())), err
	}), nil
}

// function is one that expressions may call. NULL gives NULL.
type function struct {
	takes  []kind // of the arguments; kindAny is checked by result
	result func(arguments []node) (typ, error)
	call   func(t typ, v []rowferry.Value) (rowferry.Value, error)
}

func gives(k kind) func([]node) (typ, error) {
	return func([]node) (typ, error) { return typ{kind: k}, nil }
}

func ofText(f func(string) string) function {
	return function{[]kind{kindText}, gives(kindText), func(_ typ, v []rowferry.Value) (rowferry.Value, error) {
		return rowferry.TextValue(f(v[0].Str())), nil
	}}
}

// functions are all there are. None depends on anything but its arguments.
var functions = map[string]function{
	"lower": ofText(strings.ToLower),
	"upper": ofText(strings.ToUpper),
	"trim":  ofText(strings.TrimSpace),
	"len": {[]kind{kindText}, gives(kindInt), func(_ typ, v []rowferry.Value) (rowferry.Value, error) {
		return rowferry.IntValue(int64(utf8.RuneCountInString(v[0].Str()))), nil
	}},
	"replace": {[]kind{kindText, kindText, kindText}, gives(kindText), func(_ typ, v []rowferry.Value) (rowferry.Value, error) {
		return rowferry.TextValue(strings.ReplaceAll(v[0].Str(), v[1].Str(), v[2].Str())), nil
	}},
	"text":    {[]kind{kindAny}, textType, asText},
	"float":   {[]kind{kindAny}, floatType, asFloat},
	"decimal": {[]kind{kindAny}, decimalType, asExact},
}

const functionNames = "decimal, float, len, lower, replace, text, trim and upper"

func (c *compiler) call(at ast.Node, name string, arguments []ast.Node) (node, error) {
	f, ok := functions[name]
	switch {
	case !ok && (name == "now" || name == "date" || name == "duration"):
		return node{}, c.wrong(at, "%s is not taken here: a row must come to the same whenever it is looked at\nprovenance: {time: column}, for when the source committed it", name)
	case !ok:
		return node{}, c.wrong(at, "there is no function %s here\n%s", name, functionNames)
	case len(arguments) != len(f.takes):
		return node{}, c.wrong(at, "%s takes %d arguments, and here are %d", name, len(f.takes), len(arguments))
	}
	args := make([]node, len(arguments))
	runs, nullable := true, false
	for i := range arguments {
		x, err := c.compile(arguments[i])
		if err != nil {
			return node{}, err
		}
		if x.kind == kindNull || f.takes[i] != kindAny && x.kind != f.takes[i] && x.kind != kindAny {
			return node{}, c.wrong(arguments[i], "%s is of %s, and this is %s", name, kindNames[f.takes[i]], x.typ)
		}
		args[i], runs, nullable = x, runs && x.eval != nil, nullable || x.nullable
	}
	t, err := f.result(args)
	if err != nil {
		return node{}, c.wrong(arguments[0], "%v", err)
	}
	t.nullable = nullable
	if !runs {
		return known(t.kind), nil
	}
	return made(t, func(row rowferry.Row) (rowferry.Value, error) {
		values := make([]rowferry.Value, len(args))
		for i := range args {
			v, err := args[i].eval(row)
			if err != nil || v.IsNull() {
				return v, err
			}
			values[i] = v
		}
		return f.call(t, values)
	}), nil
}

// textType refuses what has no text of its own.
func textType(args []node) (typ, error) {
	switch x := args[0]; {
	case x.kind == kindBool:
		return typ{}, fmt.Errorf("true and false have no text of their own\nflag ? \"yes\" : \"no\"")
	case x.kind != kindOther, x.own.Kind == schema.JSON, x.own.Kind == schema.Other, x.own.Kind == schema.Time:
	default:
		return typ{}, fmt.Errorf("a %s has no text", x.own)
	}
	return typ{kind: kindText}, nil
}

func asText(_ typ, v []rowferry.Value) (rowferry.Value, error) {
	return rowferry.TextValue(v[0].String()), nil
}

func floatType(args []node) (typ, error) {
	if x := args[0]; x.kind != kindAny && !isNumber(x.typ) {
		return typ{}, fmt.Errorf("float is of a number, and this is %s", x.typ)
	}
	return typ{kind: kindFloat}, nil
}

// asFloat returns the nearest floating-point number, which is what was asked for.
func asFloat(_ typ, v []rowferry.Value) (rowferry.Value, error) {
	switch v[0].Kind() {
	case rowferry.Float:
		return v[0], nil
	case rowferry.Int:
		return rowferry.FloatValue(float64(v[0].Int())), nil
	default:
		f, err := strconv.ParseFloat(v[0].Str(), 64)
		return rowferry.FloatValue(f), err
	}
}

// decimalType is of an exact number, or of one that is written as text.
func decimalType(args []node) (typ, error) {
	x := args[0]
	switch {
	case x.kind == kindAny:
		return typ{kind: kindAny}, nil
	case isExact(x.typ):
		return asDecimal(typ{kind: x.kind, precision: x.precision, scale: x.scale}), nil
	case x.literal && x.kind == kindText:
		text := x.value.Str()
		if _, err := number(x.value); err != nil {
			return typ{}, err
		}
		whole, fraction, _ := strings.Cut(strings.TrimLeft(text, "+-"), ".")
		t := typ{kind: kindDecimal, precision: len(whole) + len(fraction), scale: len(fraction)}
		if t.precision > mostDigits || t.scale > mostScale {
			return t, fmt.Errorf("%s has more digits than a column", text)
		}
		return t, nil
	default:
		return typ{}, fmt.Errorf("decimal is of an exact number, or of one written out as text, and this is %s", x.typ)
	}
}

func asExact(t typ, v []rowferry.Value) (rowferry.Value, error) {
	if t.precision == 0 {
		return v[0], nil
	}
	r, err := number(v[0])
	if err != nil {
		return v[0], err
	}
	return rowferry.TextValue(r.FloatString(t.scale)), nil
}
