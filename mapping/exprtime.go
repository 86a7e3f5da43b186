package mapping

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// comparableTimes is comparable of dates and times: with each other, where they are
// of one kind, and with text that is written out as one.
func (c *compiler) comparableTimes(at ast.Node, a, b node) (node, node, ordering, error) {
	for _, x := range []*node{&a, &b} {
		if x.kind == kindAny {
			return a, b, nil, nil
		}
		if x.kind != kindText || !x.literal {
			continue
		}
		other := a
		if x == &a {
			other = b
		}
		instant, err := moment(x.value)
		if err != nil || other.own.Kind == schema.Date && len(x.value.Str()) > dayLength {
			return a, b, nil, c.wrong(at, "%q is not written as %s is\n%s", x.value.Str(), other.typ, timeForms[other.own.Kind])
		}
		*x = written(typ{kind: kindTime, own: other.own}, rowferry.TextValue(instant))
	}
	if a.kind != kindTime || b.kind != kindTime || a.own.Kind != b.own.Kind {
		return a, b, nil, c.wrong(at, "%s cannot be compared with %s", a.typ, b.typ)
	}
	return a, b, func(x, y rowferry.Value) (int, error) {
		s, err := moment(x)
		if err != nil {
			return 0, err
		}
		t, err := moment(y)
		return cmp.Compare(s, t), err
	}, nil
}

const dayLength = len("2006-01-02")

var timeForms = map[schema.Kind]string{
	schema.Date: `"2026-01-31"`, schema.DateTime: `"2026-01-31 12:00:00"`, schema.Timestamp: `"2026-01-31 12:00:00", which is in UTC`,
}

// moment returns a date, or a date and time, in a form that compares as it does:
// with the time of midnight where there is none, and six digits of a second.
func moment(v rowferry.Value) (string, error) {
	s := strings.TrimSuffix(v.Str(), "+00")
	const seconds = len("2006-01-02 15:04:05")
	day, clock, timed := strings.Cut(s, " ")
	if !timed {
		clock = "00:00:00"
	}
	whole, fraction, pointed := strings.Cut(clock, ".")
	full := day + " " + whole
	fits := len(full) == seconds && len(fraction) <= 6 && pointed == (fraction != "")
	for i := 0; fits && i < seconds; i++ {
		want := "dddd-dd-dd dd:dd:dd"[i]
		fits = want == 'd' && full[i] >= '0' && full[i] <= '9' || want == full[i]
	}
	for i := range len(fraction) {
		fits = fits && fraction[i] >= '0' && fraction[i] <= '9'
	}
	if !fits {
		return "", fmt.Errorf("%s is no date of the years 0 to 9999", v)
	}
	return full + "." + fraction + strings.Repeat("0", 6-len(fraction)), nil
}
