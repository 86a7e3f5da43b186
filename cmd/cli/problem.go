package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/rowferry/rowferry"
)

const width = 80 // columns that prose keeps to

// problems takes an error apart into the errors that people should see: the
// members of joined errors, each a *rowferry.Error where there is one.
func problems(err error) []error {
	var coded *rowferry.Error
	for e := err; e != nil; e = errors.Unwrap(e) {
		if e, ok := e.(*rowferry.Error); ok {
			coded = e
			break
		}
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			var all []error
			for _, member := range joined.Unwrap() {
				all = append(all, problems(member)...)
			}
			return all
		}
	}
	if coded != nil {
		return []error{coded}
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// writeProblem prints one error: the code and what happened, the facts, what
// was not harmed, and the ways out.
func writeProblem(w io.Writer, err error, ink ink) {
	var b strings.Builder
	defer func() { _, _ = io.WriteString(w, b.String()) }() // nowhere is left to report a failure to
	e, ok := err.(*rowferry.Error)
	if !ok {
		fmt.Fprintf(&b, "%s %s\n", ink.bad("✗"), clean(err.Error()))
		return
	}
	head := fmt.Sprintf("✗ %s  ", e.Code)
	what := wrap(clean(e.What), width, strings.Repeat(" ", runes(head)))
	fmt.Fprintf(&b, "%s %s  %s\n", ink.bad("✗"), ink.bold(string(e.Code)), strings.TrimLeft(what, " "))
	for _, line := range alignFacts(facts(e)) {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	if u := unharmed(e); u != "" {
		fmt.Fprintf(&b, "%s\n", wrap(clean(u), width, "    "))
	}
	writeRemedies(&b, remediesOf(e), "    ", ink)
}

// remediesOf are the error's own ways out, or those of its code.
func remediesOf(e *rowferry.Error) []rowferry.Remedy {
	if len(e.Remedies) > 0 {
		return e.Remedies
	}
	info, _ := rowferry.Explain(e.Code) // a code without an entry has no remedies
	return info.Remedies
}

func writeRemedies(b *strings.Builder, list []rowferry.Remedy, indent string, ink ink) {
	longest := 0
	for _, r := range list {
		longest = max(longest, runes(r.Label))
	}
	for _, r := range list {
		fmt.Fprintf(b, "%s%s %s%s   %s\n", indent, ink.good("→"), clean(r.Label), strings.Repeat(" ", longest-runes(r.Label)), clean(r.Do))
	}
}

// facts are the error's own and, where its sentence does not say it already,
// its cause.
func facts(e *rowferry.Error) []rowferry.Fact {
	var list []rowferry.Fact
	for _, f := range e.Facts { // sink and engine may both know a fact
		if !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	if e.Err != nil && !strings.Contains(e.What, e.Err.Error()) {
		list = append(list, rowferry.Fact{Name: "cause", Value: e.Err.Error()})
	}
	return list
}

func alignFacts(list []rowferry.Fact) []string {
	longest := 0
	for _, f := range list {
		longest = max(longest, runes(f.Name))
	}
	var lines []string
	for _, f := range list {
		for i, v := range strings.Split(f.Value, "\n") {
			name := f.Name
			if i > 0 {
				name = ""
			}
			lines = append(lines, clean(name)+strings.Repeat(" ", longest-runes(name)+2)+clean(v))
		}
	}
	return lines
}

// unharmed returns what the error did not harm: its own sentence, or its
// code's.
func unharmed(e *rowferry.Error) string {
	if e.Unharmed != "" {
		return e.Unharmed
	}
	info, _ := rowferry.Explain(e.Code) // a code without an entry says nothing
	return info.Unharmed
}

// clean makes foreign text safe to print: row values and file names must not
// move the cursor or colour the terminal.
func clean(text string) string {
	safe := func(r rune) bool { return unicode.IsPrint(r) || r == ' ' }
	if strings.IndexFunc(text, func(r rune) bool { return !safe(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case safe(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
