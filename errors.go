package rowferry

import (
	"errors"
	"fmt"
	"strings"
)

// Class is what an error means to whoever started the program: its exit code.
type Class int

// The classes.
const (
	ClassRuntime     Class = 1
	ClassUsage       Class = 2 // usage or configuration
	ClassUnreachable Class = 3 // a server or file cannot be reached
	ClassRejected    Class = 4 // finished with rejected rows
	ClassDiffers     Class = 5 // data differs
	ClassPosition    Class = 6 // position or lineage lost
	ClassHeld        Class = 7 // another engine holds the pipeline
	ClassInterrupted Class = 130
)

// Fact is one line of what an error knows: a short name and its value.
type Fact struct{ Name, Value string }

// Remedy is one way out: what it is for, and the command or change.
type Remedy struct{ Label, Do string }

// Error is the one error type that reaches people. Adapters translate their
// drivers' errors into it at the edge.
type Error struct {
	Code     Code
	What     string // one sentence: what happened
	Facts    []Fact
	Unharmed string // what was not harmed; empty uses the code's own sentence
	Remedies []Remedy
	Mutation *Mutation // the mutation a sink refused, if it is about one
	Err      error     // the cause, if there is one
}

// Errorf returns an Error with the given code and sentence. A %w verb in the
// format makes the wrapped error its cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, What: err.Error(), Err: errors.Unwrap(err)}
}

// Fact adds a fact and returns the error.
func (e *Error) Fact(name, format string, args ...any) *Error {
	e.Facts = append(e.Facts, Fact{name, fmt.Sprintf(format, args...)})
	return e
}

// Remedy adds a remedy and returns the error.
func (e *Error) Remedy(label, format string, args ...any) *Error {
	e.Remedies = append(e.Remedies, Remedy{label, fmt.Sprintf(format, args...)})
	return e
}

// Error returns code, sentence and facts on one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Code, e.What)
	for i, f := range e.Facts {
		sep := "; "
		if i == 0 {
			sep = " ("
		}
		fmt.Fprintf(&b, "%s%s: %s", sep, f.Name, f.Value)
	}
	if len(e.Facts) > 0 {
		b.WriteByte(')')
	}
	return b.String()
}

// Reason returns the sentence and the facts on one line.
func (e *Error) Reason() string { return strings.TrimPrefix(e.Error(), string(e.Code)+": ") }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's chain, or "" when
// there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// ClassOf returns the exit class of err: its code's, or ClassRuntime.
func ClassOf(err error) Class {
	if info, ok := Explain(CodeOf(err)); ok {
		return info.Class
	}
	return ClassRuntime
}
