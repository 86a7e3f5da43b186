package cli

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
)

// jsonSchema is the version of everything printed by -o json.
const jsonSchema = 1

// envelope is the one form of machine-readable output.
type envelope struct {
	Schema  int            `json:"schema"`
	Command string         `json:"command"`
	OK      bool           `json:"ok"`
	Result  any            `json:"result"`
	Error   *envelopeError `json:"error"`
}

type envelopeError struct {
	Code     string           `json:"code,omitempty"`
	Class    int              `json:"class"`
	What     string           `json:"what"`
	Facts    []envelopePair   `json:"facts,omitempty"`
	Unharmed string           `json:"unharmed,omitempty"`
	Remedies []envelopeRemedy `json:"remedies,omitempty"`
	Errors   []*envelopeError `json:"errors,omitempty"` // where there are several
}

type envelopePair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type envelopeRemedy struct {
	Label string `json:"label"`
	Do    string `json:"do"`
}

func (p *program) writeEnvelope(err error) error {
	if p.begun {
		return p.endItems(err)
	}
	e := json.NewEncoder(p.results())
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(envelope{Schema: jsonSchema, Command: p.command, OK: err == nil, Result: p.result, Error: describe(problems(err))})
}

// describe is the machine-readable form of a list of problems.
func describe(list []error) *envelopeError {
	switch len(list) {
	case 0:
		return nil
	case 1:
	default:
		sum := &envelopeError{Class: int(classOf(list)), What: "several errors"}
		if classOf(list) == rowferry.ClassUsage {
			sum.Code = string(rowferry.CodeSeveralErrors)
		}
		for _, e := range list {
			sum.Errors = append(sum.Errors, describe([]error{e}))
		}
		return sum
	}
	e, ok := list[0].(*rowferry.Error)
	if !ok {
		return &envelopeError{Class: int(rowferry.ClassRuntime), What: list[0].Error()}
	}
	d := &envelopeError{Code: string(e.Code), Class: int(rowferry.ClassOf(e)), What: e.What, Unharmed: unharmed(e)}
	for _, f := range facts(e) {
		d.Facts = append(d.Facts, envelopePair(f))
	}
	d.Remedies = envelopeRemedies(remediesOf(e))
	return d
}

func envelopeRemedies(list []rowferry.Remedy) []envelopeRemedy {
	var all []envelopeRemedy
	for _, r := range list {
		all = append(all, envelopeRemedy(r))
	}
	return all
}

// grid prints rows as columns; those marked in right are set to the right.
// The first row is the heading.
func grid(rows [][]string, right ...int) string {
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], runes(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-runes(cell))
			if i > 0 {
				line.WriteString("  ")
			}
			if slices.Contains(right, i) {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
