package cli

import (
	"fmt"
	"strings"
)

const helpFooter = `Every flag can also be given in the environment, as ROWFERRY_ and its name in
capitals with _ for - (a list is separated by commas). A flag goes before the
environment, the environment before the file, the file before the default.
`

// rootHelp is what rowferry --help prints.
func rootHelp() string {
	var b strings.Builder
	b.WriteString("rowferry carries row changes out of a database's own log into another database,\nin order, exactly once.\n\n")
	b.WriteString("usage    rowferry COMMAND [flags] [arguments]\n")
	b.WriteString("example  " + replayCommand().example + "\n\ncommands\n")
	b.WriteString(commandList(commands()))
	b.WriteString("\nflags of every command\n")
	b.WriteString(optionList(commonOptions))
	b.WriteString("\n" + helpFooter)
	return b.String()
}

// commandHelp is what --help prints for one command.
func commandHelp(c *command, full string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rowferry %s: %s\n\n", full, c.summary)
	if c.run != nil {
		fmt.Fprintf(&b, "usage    %s\n", usageLine(full, c))
	}
	for _, s := range c.sub {
		if c.run != nil {
			fmt.Fprintf(&b, "         %s\n", usageLine(full+" "+s.name, s))
		}
	}
	if c.run == nil {
		fmt.Fprintf(&b, "usage    rowferry %s COMMAND [flags] [arguments]\n", full)
	}
	fmt.Fprintf(&b, "example  %s\n", c.example)
	if c.about != "" {
		b.WriteString("\n" + wrap(c.about, 80, "") + "\n")
	}
	if c.sub != nil {
		b.WriteString("\ncommands\n" + commandList(c.sub))
	}
	if c.options != nil {
		b.WriteString("\nflags\n" + optionList(c.options))
	}
	b.WriteString("\nflags of every command\n" + optionList(commonOptions))
	b.WriteString("\n" + helpFooter)
	return b.String()
}

func commandList(list []*command) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "  %-12s %s\n", c.name, c.summary)
	}
	return b.String()
}

func optionList(list []*option) string {
	const column = 26
	var b strings.Builder
	for _, o := range list {
		head := "      --"
		if o.short != "" {
			head = "  -" + o.short + ", --"
		}
		head += strings.TrimSpace(o.name + " " + o.value)
		text := wrap(o.describe(), 80, strings.Repeat(" ", column))
		if len(head) >= column-1 {
			fmt.Fprintf(&b, "%s\n%s\n", head, text)
			continue
		}
		fmt.Fprintf(&b, "%-*s%s\n", column, head, strings.TrimLeft(text, " "))
	}
	return b.String()
}

// describe is the option's meaning with its values and default.
func (o *option) describe() string {
	text := o.usage
	var notes []string
	if o.values != nil {
		notes = append(notes, strings.Join(o.values, ", "))
	}
	if o.list {
		notes = append(notes, "may be repeated")
	}
	if o.def != "" {
		notes = append(notes, "default "+o.def)
	}
	if notes != nil {
		text += " (" + strings.Join(notes, "; ") + ")"
	}
	return text
}

// wrap breaks text into lines of at most width runes, each indented, keeping
// paragraphs apart and words whole. Lines that begin with a space are kept as
// they are.
func wrap(text string, width int, indent string) string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == ' ' {
			out = append(out, strings.TrimRight(indent+line, " "))
			continue
		}
		cur := indent
		for _, w := range strings.Fields(line) {
			if cur != indent && runes(cur)+1+runes(w) > width {
				out = append(out, cur)
				cur = indent
			}
			if cur != indent {
				cur += " "
			}
			cur += w
		}
		out = append(out, cur)
	}
	return strings.Join(out, "\n")
}

// runes counts the characters of text, which is its width on a terminal but
// for wide scripts.
func runes(text string) int { return len([]rune(text)) }
