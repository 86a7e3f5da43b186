package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// itemsAtOnce is how many rows of a table are set in columns together.
const itemsAtOnce = 1000

// items prints a list that may be longer than memory: as a table, or as the result
// of the envelope, which finish completes.
type items[T any] struct {
	in    *invocation
	most  int // 0 is all
	head  []string
	right []int // columns set to the right
	row   func(T) []string

	n    int
	more bool // there is at least one beyond the most
	rows [][]string
}

func newItems[T any](in *invocation, most int, head []string, right ...int) *items[T] {
	return &items[T]{in: in, most: most, head: head, right: right, rows: [][]string{head}}
}

// ask is how many to ask for: one more than are printed, 0 for all.
func (l *items[T]) ask() int {
	if l.most == 0 {
		return 0
	}
	return l.most + 1
}

func (l *items[T]) add(item T) error {
	if l.n++; l.most > 0 && l.n > l.most {
		l.more = true
		return nil
	}
	if l.in.json {
		return l.in.writeItem(item)
	}
	row := l.row(item)
	for i := range row {
		row[i] = clean(row[i])
	}
	if l.rows = append(l.rows, row); len(l.rows) < itemsAtOnce {
		return nil
	}
	return l.flush()
}

func (l *items[T]) flush() error {
	text := grid(l.rows, l.right...)
	l.rows = nil
	return writeAll(l.in.stdout, text)
}

// end prints the rest; none is the text where there was nothing.
func (l *items[T]) end(err error, none string) error {
	switch {
	case l.in.json && l.n == 0 && err == nil:
		l.in.result = []T{}
	case l.in.json:
	case l.n > 0 && len(l.rows) > 0:
		err = errors.Join(err, l.flush())
	case l.n == 0 && err == nil:
		err = writeAll(l.in.stdout, none+"\n")
	}
	if l.more && !l.in.json {
		err = errors.Join(err, writeAll(l.in.stdout, "… more with --limit 0\n"))
	}
	return err
}

// writeItem begins the envelope, if it is the first one, and prints one item of its
// result.
func (p *program) writeItem(item any) error {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(item); err != nil {
		return err
	}
	before := ",\n    "
	if !p.begun {
		before = fmt.Sprintf("{\n  \"schema\": %d,\n  \"command\": %q,\n  \"result\": [\n    ", jsonSchema, p.command)
		p.begun = true
	}
	return writeAll(p.results(), before+strings.TrimSuffix(text.String(), "\n"))
}

// endItems ends the envelope that writeItem began.
func (p *program) endItems(err error) error {
	text, encodeErr := json.MarshalIndent(describe(problems(err)), "  ", "  ")
	if encodeErr != nil {
		return encodeErr
	}
	return writeAll(p.results(), fmt.Sprintf("\n  ],\n  \"ok\": %t,\n  \"error\": %s\n}\n", err == nil, text))
}
