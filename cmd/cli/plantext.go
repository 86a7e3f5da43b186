package cli

import (
	"bytes"
	"fmt"
	"strings"
)

// text is the plan for people, with the statements if they are asked for.
func (r *planResult) text(ink ink, ddl bool) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  %s\n%s  %s\n\n", ink.bold("source"), clean(r.Source), ink.bold("target"), clean(r.Target))
	b.WriteString(r.grid())
	r.writeCircles(&b)
	r.writeNotices(&b, ink)
	if ddl {
		r.writeDDL(&b, ink)
	}
	r.writeRefusals(&b, ink)
	fmt.Fprintf(&b, "\n%s, about %s rows and %sB by the server's estimate. How long a copy takes is unknown until measured.\n",
		plural(uint64(len(r.Tables)), "table", "tables"), brief(float64(r.Rows)), brief(float64(r.Bytes)))
	if r.Begun {
		b.WriteString("The pipeline has a checkpoint: rowferry run goes on from there, without a new copy.\n")
	}
	if len(r.errs) == 0 {
		fmt.Fprintf(&b, "%s everything in scope would be copied; nothing was changed\n", ink.good("✓"))
	}
	return b.String()
}

func (r *planResult) grid() string {
	rows := [][]string{{"", "table", "rows", "bytes", "key", "becomes"}}
	for _, t := range r.Tables {
		sign, becomes, key := "✓", t.Becomes, "(none)"
		if t.refused != nil || r.Refused != nil {
			sign = "✗"
		}
		if len(t.Key) > 0 {
			key = strings.Join(t.Key, ", ")
		}
		if t.Exists {
			becomes += " (exists)"
		}
		rows = append(rows, []string{sign, clean(t.Table), brief(float64(t.Rows)), brief(float64(t.Bytes)), clean(key), clean(becomes)})
	}
	return grid(rows, 2, 3)
}

// writeCircles names tables that no order brings behind all that they refer to.
func (r *planResult) writeCircles(b *bytes.Buffer) {
	for i, c := range r.Circles {
		if i == 0 {
			b.WriteString("\nForeign keys in a circle:\n")
		}
		if len(c) == 1 {
			fmt.Fprintf(b, "  %s refers to itself\n", clean(c[0]))
			continue
		}
		fmt.Fprintf(b, "  %s refer to each other\n", clean(strings.Join(c, ", ")))
	}
}

func (r *planResult) writeNotices(b *bytes.Buffer, ink ink) {
	const head = "\nNot carried, or otherwise in the target:\n"
	begun := false
	for _, t := range r.Tables {
		for i, n := range t.Notices {
			if !begun {
				b.WriteString(head)
				begun = true
			}
			if i == 0 {
				fmt.Fprintf(b, "  %s\n", ink.bold(clean(t.Table)))
			}
			fmt.Fprintf(b, "    %s\n", strings.TrimLeft(wrap(clean(n), width, "      "), " "))
		}
	}
	for i, o := range r.Others {
		if i == 0 {
			b.WriteString("\nBeside tables, and not carried:\n")
		}
		on := ""
		if o.On != "" {
			on = " on " + o.On
		}
		fmt.Fprintf(b, "  %s %s%s\n", o.Kind, clean(o.Name), clean(on))
	}
}

func (r *planResult) writeDDL(b *bytes.Buffer, ink ink) {
	for _, part := range []struct {
		head string
		of   func(planTable) []string
	}{
		{"before the rows", func(t planTable) []string { return t.Make }},
		{"behind the last row", func(t planTable) []string { return t.Complete }},
	} {
		fmt.Fprintf(b, "\n%s\n", ink.bold("-- "+part.head))
		for _, t := range r.Tables {
			for _, sql := range part.of(t) {
				b.WriteString(cleanLines(sql) + ";\n")
			}
		}
	}
}

// cleanLines is clean of a text of several lines.
func cleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

func (r *planResult) writeRefusals(b *bytes.Buffer, ink ink) {
	for i, err := range r.errs {
		if i == 0 {
			b.WriteString("\nA copy would stop:\n")
		}
		writeProblem(b, err, ink)
	}
}
