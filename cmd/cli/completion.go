package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
)

func completionCommand() *command {
	return &command{
		name: "completion", args: "bash|zsh|fish", maxArgs: 1,
		summary: "print the script that completes commands and flags in a shell",
		about:   "Put the output where your shell looks:\n\n  bash  rowferry completion bash > /etc/bash_completion.d/rowferry\n  zsh   rowferry completion zsh > \"${fpath[1]}/_rowferry\"\n  fish  rowferry completion fish > ~/.config/fish/completions/rowferry.fish",
		example: "source <(rowferry completion bash)",
		run:     completion,
	}
}

func completion(_ context.Context, in *invocation) error {
	if len(in.args) == 0 {
		return rowferry.Errorf(rowferry.CodeUsage, "rowferry completion takes a shell").Remedy("write", "rowferry completion bash, zsh or fish")
	}
	var script string
	switch in.args[0] {
	case "bash":
		script = bashCompletion()
	case "zsh":
		script = zshCompletion()
	case "fish":
		script = fishCompletion()
	default:
		err := rowferry.Errorf(rowferry.CodeUsage, "there is no completion for %q", in.args[0])
		for _, n := range nearest(in.args[0], []string{"bash", "zsh", "fish"}) {
			err.Remedy("did you mean", "rowferry completion %s", n)
		}
		return err.Remedy("known", "bash, zsh, fish")
	}
	if in.json {
		in.result = map[string]string{"shell": in.args[0], "script": script}
		return nil
	}
	return writeAll(in.stdout, script)
}

// walk calls fn for every command, parents first, with its full name.
func walk(list []*command, parent string, fn func(full string, c *command)) {
	for _, c := range list {
		full := strings.TrimSpace(parent + " " + c.name)
		fn(full, c)
		walk(c.sub, full, fn)
	}
}

// words are what may follow a command: its own commands, or the values of its
// argument where they are few.
func (c *command) words() []string {
	var list []string
	for _, s := range c.sub {
		list = append(list, s.name)
	}
	switch c.name {
	case "completion":
		list = append(list, "bash", "zsh", "fish")
	case "explain":
		for _, k := range rowferry.Codes() {
			list = append(list, string(k.Code))
		}
	}
	return list
}

// files reports whether the option's value is a path.
func (o *option) files() bool { return o.value == "FILE" || o.value == "DIR" || o.value == "GLOB" }

// dialect is what tells one shell's script from another's; the cases between
// are the same.
type dialect struct{ head, word, words, files, tail string }

func bashCompletion() string {
	return completionScript(dialect{
		head: "# bash completion for rowferry, written by: rowferry completion bash\n" +
			"_rowferry() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=\"\" list=\"\" w\n" +
			"    local -i i\n    for ((i = 1; i < COMP_CWORD; i++)); do\n",
		word:  "${COMP_WORDS[i]}",
		words: "COMPREPLY=($(compgen -W \"$list\" -- \"$cur\"))",
		files: "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\"))",
		tail:  "complete -F _rowferry rowferry\n",
	})
}

func zshCompletion() string {
	return completionScript(dialect{
		head: "#compdef rowferry\n# zsh completion for rowferry, written by: rowferry completion zsh\n" +
			"_rowferry() {\n    local cur=${words[CURRENT]} prev=${words[CURRENT-1]} cmd=\"\" list=\"\" w\n" +
			"    local -i i\n    for ((i = 2; i < CURRENT; i++)); do\n",
		word:  "${words[i]}",
		words: "compadd -- ${=list}",
		files: "_files",
		tail:  "if [ \"$funcstack[1]\" = _rowferry ]; then _rowferry \"$@\"; else compdef _rowferry rowferry; fi\n",
	})
}

func completionScript(d dialect) string {
	f := collectFlags()
	var b strings.Builder
	fmt.Fprintf(&b, "%s        w=%s\n        case \"$w\" in\n", d.head, d.word)
	fmt.Fprintf(&b, "            %s) i+=1 ;;\n", strings.Join(f.valued, "|"))
	b.WriteString("            -*) ;;\n            *) cmd=\"${cmd:+$cmd }$w\" ;;\n        esac\n    done\n    case \"$prev\" in\n")
	fmt.Fprintf(&b, "        %s) %s; return ;;\n", strings.Join(f.paths, "|"), d.files)
	for _, names := range slices.Sorted(maps.Keys(f.choices)) {
		fmt.Fprintf(&b, "        %s) list=%q; %s; return ;;\n", names, f.choices[names], d.words)
	}
	fmt.Fprintf(&b, "        %s) return ;;\n    esac\n    case \"$cmd\" in\n", strings.Join(f.free, "|"))
	entry := func(full string, words []string, list []*option) {
		for _, o := range list {
			words = append(words, "--"+o.name)
		}
		fmt.Fprintf(&b, "        %q) list=%q ;;\n", full, strings.Join(append(words, "--help"), " "))
	}
	var top []string
	for _, c := range commands() {
		top = append(top, c.name)
	}
	entry("", top, commonOptions)
	walk(commands(), "", func(full string, c *command) { entry(full, c.words(), c.allOptions()) })
	fmt.Fprintf(&b, "    esac\n    %s\n}\n%s", d.words, d.tail)
	return b.String()
}

// flagWords are the program's flags as a shell sees them, by what follows.
type flagWords struct {
	valued  []string          // all that take a value
	paths   []string          // of them: a path
	free    []string          // of them: anything
	choices map[string]string // of them: one of a few, by "--name|-n"
}

func collectFlags() flagWords {
	f := flagWords{choices: map[string]string{}}
	seen := map[string]bool{}
	each := func(list []*option) {
		for _, o := range list {
			if seen[o.name] || o.value == "" {
				continue
			}
			seen[o.name] = true
			names := []string{"--" + o.name}
			if o.short != "" {
				names = append(names, "-"+o.short)
			}
			f.valued = append(f.valued, names...)
			switch {
			case o.files():
				f.paths = append(f.paths, names...)
			case o.values != nil:
				f.choices[strings.Join(names, "|")] = strings.Join(o.values, " ")
			default:
				f.free = append(f.free, names...)
			}
		}
	}
	each(commonOptions)
	walk(commands(), "", func(_ string, c *command) { each(c.options) })
	return f
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion for rowferry, written by: rowferry completion fish\ncomplete -c rowferry -f\n")
	option := func(when string, o *option) {
		line := "complete -c rowferry"
		if when != "" {
			line += fmt.Sprintf(" -n %s", fishQuote(when))
		}
		line += " -l " + o.name
		if o.short != "" {
			line += " -s " + o.short
		}
		switch {
		case o.files():
			line += " -r -F"
		case o.values != nil:
			line += " -x -a " + fishQuote(strings.Join(o.values, " "))
		case o.value != "":
			line += " -x"
		}
		fmt.Fprintf(&b, "%s -d %s\n", line, fishQuote(o.usage))
	}
	for _, o := range commonOptions {
		option("", o)
	}
	for _, c := range commands() {
		fmt.Fprintf(&b, "complete -c rowferry -n %s -a %s -d %s\n", fishQuote("__fish_use_subcommand"), c.name, fishQuote(c.summary))
	}
	walk(commands(), "", func(full string, c *command) {
		when := "__fish_seen_subcommand_from " + c.name
		if parent, _, nested := strings.Cut(full, " "); nested {
			when = "__fish_seen_subcommand_from " + parent + "; and " + when
		}
		for _, o := range c.options {
			option(when, o)
		}
		if words := c.words(); words != nil {
			fmt.Fprintf(&b, "complete -c rowferry -n %s -a %s\n", fishQuote(when+"; and not __fish_seen_subcommand_from "+strings.Join(words, " ")), fishQuote(strings.Join(words, " ")))
		}
	})
	return b.String()
}

func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
