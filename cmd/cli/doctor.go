package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rowferry/rowferry"
)

func doctorCommand() *command {
	return &command{
		name:    "doctor",
		summary: "check every precondition of a pipeline, and say what is missing",
		about:   "Looks at the source's and the target's server: privileges, the settings of the log, tables, time zones and whatever else a run would stop with, each with its remedy. Nothing is changed. The same checks are made at the start of `rowferry run`.",
		example: "rowferry doctor -c shop.yaml",
		options: []*option{sourceOption, filesOption, targetOption, tablesOption, schemaOption, triggersOption, serverIDOption, nameOption, stateOption},
		run:     doctor,
	}
}

// doctorResult is what doctor found.
type doctorResult struct {
	Source   examined `json:"source"`
	Target   examined `json:"target"`
	Passed   int      `json:"passed"`
	Warnings int      `json:"warnings"`
	Failed   int      `json:"failed"`
}

// examined is what was found on one side.
type examined struct {
	URL      string        `json:"url"`
	Findings []findingView `json:"findings"`

	list []rowferry.Finding
}

type findingView struct {
	Name     string           `json:"name"`
	Level    string           `json:"level"`
	What     string           `json:"what"`
	Code     string           `json:"code,omitempty"`
	Facts    []envelopePair   `json:"facts,omitempty"`
	Remedies []envelopeRemedy `json:"remedies,omitempty"`
}

// told is an error whose message was already printed.
type told struct{ error }

func (t told) Unwrap() error { return t.error }

func doctor(ctx context.Context, in *invocation) error {
	s, err := in.settings()
	if err == nil {
		err = s.need("source", "target")
	}
	if err != nil {
		return err
	}
	r := &doctorResult{Source: examined{URL: s.sourceText()}, Target: examined{URL: s.target}}
	if live, err := s.askStatus(ctx); err == nil && live != nil {
		s.serverID = 0 // it is in use, by the pipeline's own engine
	}
	r.Source.list, err = in.visitSource(ctx, s)
	if err != nil {
		return err
	}
	r.Target.list = in.visitTarget(ctx, s)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	all := append(append([]rowferry.Finding{}, r.Source.list...), r.Target.list...)
	r.Passed, r.Warnings, r.Failed = tallyFindings(all)
	r.Source.view()
	r.Target.view()
	in.result = r
	if !in.json {
		if err := writeAll(in.stdout, r.text(in.outInk())); err != nil {
			return err
		}
	}
	if failed := failures(all); len(failed) > 0 {
		return told{failed[0]}
	}
	return nil
}

// visitSource examines the source. The error is about the settings.
func (in *invocation) visitSource(ctx context.Context, s *settings) ([]rowferry.Finding, error) {
	rules, err := s.rules()
	if err != nil {
		return nil, err
	}
	if s.fromCSV() {
		return s.visitCSV(rules)
	}
	source, err := s.openSource(ctx, rules, divide(s.memory), in)
	switch {
	case err != nil && s.source.given():
		return nil, err
	case err != nil:
		return []rowferry.Finding{failedFinding("files", err)}, nil
	case !s.source.given():
		return []rowferry.Finding{{Name: "files", Level: rowferry.Passed, What: "there are binlog files; replay checks what is in them"}}, nil
	}
	return inspect(ctx, source), nil
}

// visitTarget examines the target. A file is only looked at.
func (in *invocation) visitTarget(ctx context.Context, s *settings) []rowferry.Finding {
	if !s.sink.given() {
		keeper, err := s.openKeeper(ctx, in, true)
		if err == nil && keeper != nil {
			err = keeper.Close()
		}
		if err != nil {
			return []rowferry.Finding{failedFinding("file", err)}
		}
		return []rowferry.Finding{{Name: "file", Level: rowferry.Passed, What: "the target is a file, or will be"}}
	}
	sink, err := s.openSink(ctx, in, func(string) {})
	if err != nil {
		return []rowferry.Finding{failedFinding("connection", err)}
	}
	found := inspect(ctx, sink)
	if err := sink.Close(); err != nil {
		found = append(found, failedFinding("connection", err))
	}
	return found
}

// inspect asks a source or sink for its findings. That it could not look is
// one of them.
func inspect(ctx context.Context, part any) []rowferry.Finding {
	e, ok := part.(rowferry.Examiner)
	if !ok {
		return nil
	}
	found, err := e.Examine(ctx)
	if err != nil {
		found = append(found, failedFinding("examination", err))
	}
	return found
}

func failedFinding(name string, err error) rowferry.Finding {
	f := rowferry.Finding{Name: name, Level: rowferry.Failed, What: err.Error(), Code: rowferry.CodeOf(err)}
	var coded *rowferry.Error
	if errors.As(err, &coded) {
		f.What, f.Facts, f.Remedies = coded.What, facts(coded), remediesOf(coded)
	}
	return f
}

// failures are the errors of the failed findings.
func failures(list []rowferry.Finding) []error {
	var errs []error
	for _, f := range list {
		if err := f.Err(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func tallyFindings(list []rowferry.Finding) (passed, warnings, failed int) {
	for _, f := range list {
		switch f.Level {
		case rowferry.Passed:
			passed++
		case rowferry.Warning:
			warnings++
		default: // what is not known to be good is not
			failed++
		}
	}
	return passed, warnings, failed
}

func (e *examined) view() {
	e.Findings = []findingView{}
	for _, f := range e.list {
		v := findingView{Name: f.Name, Level: string(f.Level), What: f.What, Code: string(f.Code), Remedies: envelopeRemedies(f.Remedies)}
		for _, fact := range f.Facts {
			v.Facts = append(v.Facts, envelopePair(fact))
		}
		e.Findings = append(e.Findings, v)
	}
}

// text is the report for people.
func (r *doctorResult) text(ink ink) string {
	var b strings.Builder
	for _, side := range []struct {
		name string
		*examined
	}{{"source", &r.Source}, {"target", &r.Target}} {
		fmt.Fprintf(&b, "%s  %s\n", ink.bold(side.name), clean(side.URL))
		longest := 0
		for _, f := range side.list {
			longest = max(longest, runes(f.Name))
		}
		for _, f := range side.list {
			writeFinding(&b, f, longest, ink)
		}
	}
	b.WriteString("\n" + counts(r.Passed, r.Warnings, r.Failed) + "\n")
	return b.String()
}

func writeFinding(b *strings.Builder, f rowferry.Finding, longest int, ink ink) {
	sign := ink.bad("✗")
	switch f.Level {
	case rowferry.Passed:
		sign = ink.good("✓")
	case rowferry.Warning:
		sign = ink.warn("!")
	case rowferry.Failed:
	}
	what := clean(f.What)
	if f.Level == rowferry.Failed && f.Code != "" {
		what = string(f.Code) + " " + what
	}
	indent := strings.Repeat(" ", longest+6)
	fmt.Fprintf(b, "  %s %s%s  %s\n", sign, clean(f.Name), strings.Repeat(" ", longest-runes(f.Name)), strings.TrimLeft(wrap(what, width, indent), " "))
	if f.Level == rowferry.Passed {
		return
	}
	for _, line := range alignFacts(f.Facts) {
		fmt.Fprintf(b, "%s%s\n", indent, line)
	}
	writeRemedies(b, f.Remedies, indent, ink)
}

// counts is "18 passed, 1 warning".
func counts(passed, warnings, failed int) string {
	text := fmt.Sprintf("%d passed", passed)
	if warnings > 0 {
		text += ", " + plural(uint64(warnings), "warning", "warnings")
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	return text
}

// examine makes the doctor's checks at the start of a run. What they warn of
// is told; what failed stops the run with its own code.
func (w *wiring) examine(ctx context.Context) error {
	var all []rowferry.Finding
	var errs []error
	for _, part := range []any{w.parts.Source, w.parts.Sink} {
		e, ok := part.(rowferry.Examiner)
		if !ok || part == w.parts.Source && w.settings.part != nil { // whose checks are about its log
			continue
		}
		err := w.patiently(ctx, func() error {
			found, err := e.Examine(ctx)
			if err != nil {
				return err
			}
			failed := failures(found)
			if failed == nil { // else it is looked at again, or the run ends
				all = append(all, found...)
			}
			return errors.Join(failed...)
		})
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil || len(all) == 0 {
		return err
	}
	passed, warnings, _ := tallyFindings(all)
	text := counts(passed, warnings, 0)
	var names []string // their texts are what doctor is for
	for _, f := range all {
		if f.Level == rowferry.Warning {
			names = append(names, f.Name)
		}
	}
	if names != nil {
		text += " (" + strings.Join(names, ", ") + "); rowferry doctor says more"
	}
	w.in.say("doctor", text)
	return nil
}
