package cli

import (
	"slices"
	"strconv"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/rowferry/rowferry"
)

// option is one flag. Its environment variable and its place in help texts
// and reference pages follow from it.
type option struct {
	name   string
	short  string
	value  string // what the value is called; empty for a switch
	usage  string
	def    string   // the default, for people and for text
	values []string // the only values it takes, if limited
	list   bool     // may be repeated
	key    string   // the configuration key it overrides
	// instead is the option that says the same thing in another way. Where
	// that one is on the command line, this one's environment is not looked at.
	instead string
}

// env returns the option's environment variable.
func (o *option) env() string {
	return "ROWFERRY_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// flag returns the option as the command-line library knows it. Environment
// and defaults are not left to the library, which reads the process's own
// environment and cannot tell a default from a value that was given.
func (o *option) flag() ucli.Flag {
	var aliases []string
	if o.short != "" {
		aliases = []string{o.short}
	}
	switch {
	case o.value == "":
		return &ucli.BoolFlag{Name: o.name, Aliases: aliases, Usage: o.usage}
	case o.list:
		return &ucli.StringSliceFlag{Name: o.name, Aliases: aliases, Usage: o.usage}
	default:
		return &ucli.StringFlag{Name: o.name, Aliases: aliases, Usage: o.usage}
	}
}

// commonOptions belong to the program and to every command.
var commonOptions = []*option{
	{name: "config", short: "c", value: "FILE", usage: "read the pipeline from this YAML file"},
	{name: "output", short: "o", value: "FORMAT", usage: "how results are printed; tail prints by what standard output is", def: "text", values: []string{"text", "json"}},
	{name: "quiet", short: "q", usage: "no progress, and only warnings in the log"},
	{name: "verbose", short: "v", usage: "log details (as --log-level debug)"},
	{name: "log-level", value: "LEVEL", usage: "the least important log record to print", def: "info", values: []string{"debug", "info", "warn", "error"}},
	{name: "log-format", value: "FORMAT", usage: "how log records are printed; the default is text on a terminal and json otherwise", values: []string{"text", "json"}},
	{name: "no-color", usage: "never colour the output (NO_COLOR does the same)"},
}

// values are a command's options as they were given, by name. What is absent
// was given neither as flag nor in the environment.
type values map[string][]string

// given reports whether the option was given as flag or in the environment.
func (v values) given(name string) bool { return len(v[name]) > 0 }

// text returns the option's last value, or "".
func (v values) text(name string) string {
	if l := v[name]; len(l) > 0 {
		return l[len(l)-1]
	}
	return ""
}

// on reports whether a switch was given and is not false.
func (v values) on(name string) bool { return v.text(name) == "true" }

// resolve collects the options from the command line, whether they were
// written before or after the command's name, and then from the environment.
func resolve(c *ucli.Context, opts []*option, env map[string]string) (values, error) {
	got := values{}
	for _, o := range opts {
		if l := fromFlags(c, o); l != nil {
			got[o.name] = l
			continue
		}
		text, ok := env[o.env()]
		if !ok || text == "" || fromFlags(c, instead(opts, o)) != nil {
			continue
		}
		if o.list {
			got[o.name] = strings.Split(text, ",")
		} else {
			got[o.name] = []string{text}
		}
		if o.value == "" {
			on, err := strconv.ParseBool(text)
			if err != nil {
				return nil, rowferry.Errorf(rowferry.CodeBadValue, "%s takes true or false, not %q", o.env(), text)
			}
			got[o.name] = []string{strconv.FormatBool(on)}
		}
	}
	return got, got.check(opts)
}

func instead(opts []*option, o *option) *option {
	i := slices.IndexFunc(opts, func(other *option) bool { return o.instead != "" && other.name == o.instead })
	if i < 0 {
		return nil
	}
	return opts[i]
}

// fromFlags returns the option's values on the command line, nil for none.
func fromFlags(c *ucli.Context, o *option) []string {
	if o == nil {
		return nil
	}
	for _, at := range c.Lineage() {
		if at.Command == nil || !slices.Contains(at.LocalFlagNames(), o.name) {
			continue
		}
		switch {
		case o.value == "":
			return []string{strconv.FormatBool(at.Bool(o.name))}
		case o.list:
			return at.StringSlice(o.name)
		default:
			return []string{at.String(o.name)}
		}
	}
	return nil
}

// check refuses empty values and those outside an option's short list.
func (v values) check(opts []*option) error {
	for _, o := range opts {
		for _, text := range v[o.name] {
			if text == "" {
				return rowferry.Errorf(rowferry.CodeBadValue, "--%s is empty", o.name)
			}
			if o.values == nil || slices.Contains(o.values, text) {
				continue
			}
			err := rowferry.Errorf(rowferry.CodeBadValue, "--%s takes %s, not %q", o.name, strings.Join(o.values, " or "), text)
			for _, n := range nearest(text, o.values) {
				err.Remedy("did you mean", "--%s %s", o.name, n)
			}
			return err
		}
	}
	return nil
}
