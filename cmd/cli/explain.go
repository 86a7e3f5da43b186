package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/rowferry/rowferry"
)

func explainCommand() *command {
	return &command{
		name: "explain", args: "CODE", maxArgs: 1,
		summary: "say what an error code means, or how it is with a row",
		about:   "CODE is written as errors print it (RF-2004) or as its number.",
		example: "rowferry explain RF-2004",
		sub:     []*command{explainRowCommand()},
		run:     explain,
	}
}

type explained struct {
	Code     string           `json:"code"`
	Class    int              `json:"class"`
	Title    string           `json:"title"`
	Meaning  string           `json:"meaning"`
	Unharmed string           `json:"unharmed"`
	Remedies []envelopeRemedy `json:"remedies"`
}

func explain(_ context.Context, in *invocation) error {
	if len(in.args) == 0 {
		return rowferry.Errorf(rowferry.CodeUsage, "rowferry explain takes a code").Remedy("write", "rowferry explain RF-2004")
	}
	asked := strings.ToUpper(strings.TrimSpace(in.args[0]))
	number := strings.TrimPrefix(strings.TrimPrefix(asked, "RF"), "-")
	info, ok := rowferry.Explain(rowferry.Code("RF-" + number))
	if !ok {
		return unknownCode(in.args[0], "RF-"+number)
	}
	if in.json {
		in.result = explained{string(info.Code), int(info.Class), info.Title, info.Meaning, info.Unharmed, envelopeRemedies(info.Remedies)}
		return nil
	}
	ink := in.outInk()
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n\n%s\n\n", ink.bold(string(info.Code)), info.Title, wrap(info.Meaning+" "+info.Unharmed, width, ""))
	writeRemedies(&b, info.Remedies, "", ink)
	fmt.Fprintf(&b, "\nThe program exits with %d: %s.\n", info.Class, className(info.Class))
	return writeAll(in.stdout, b.String())
}

func unknownCode(asked, code string) error {
	var known []string
	for _, c := range rowferry.Codes() {
		known = append(known, string(c.Code))
	}
	e := rowferry.Errorf(rowferry.CodeUsage, "there is no error code %q", asked)
	for _, n := range nearest(code, known) {
		info, _ := rowferry.Explain(rowferry.Code(n)) // known
		e.Remedy("did you mean", "rowferry explain %s   (%s)", n, info.Title)
	}
	return e
}

// classes lists what each exit code means, for people.
var classes = []struct {
	class rowferry.Class
	name  string
}{
	{0, "done"},
	{rowferry.ClassRuntime, "something went wrong while running"},
	{rowferry.ClassUsage, "wrong usage or configuration"},
	{rowferry.ClassUnreachable, "a server or file cannot be reached"},
	{rowferry.ClassRejected, "finished with rejected rows"},
	{rowferry.ClassPosition, "position or lineage lost"},
	{rowferry.ClassHeld, "another engine holds the pipeline"},
	{rowferry.ClassInterrupted, "interrupted before what was asked was done"},
}

func className(c rowferry.Class) string {
	for _, k := range classes {
		if k.class == c {
			return k.name
		}
	}
	return "class " + fmt.Sprint(int(c))
}

// writeAll writes text to w, for commands whose result is one text.
func writeAll(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
