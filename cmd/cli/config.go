package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/rowferry/rowferry"
)

// largestConfig bounds what is parsed: the parser needs a multiple of the
// file's size, and recurses into it.
const largestConfig = 64 << 10

// loadConfig reads and checks a configuration file. All errors are returned,
// joined, each with its line and column. named says that the pipeline's name
// comes from elsewhere. Relative paths in the file are relative to its
// folder.
func loadConfig(path string, env map[string]string, named bool) (*settings, error) {
	text, err := readBounded(path, largestConfig)
	if err != nil {
		return nil, err
	}
	return parseConfig(path, string(text), env, named)
}

func readBounded(path string, limit int64) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, rowferry.Errorf(rowferry.CodeConfigFile, "the configuration cannot be read: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, rowferry.Errorf(rowferry.CodeConfigFile, "the configuration cannot be read: %w", err)
	}
	if int64(len(text)) > limit {
		return nil, rowferry.Errorf(rowferry.CodeConfigFile, "%s is larger than %d KiB, which no configuration is", path, limit>>10)
	}
	return text, nil
}

func parseConfig(path, text string, env map[string]string, named bool) (*settings, error) {
	l := &loader{
		path: path, lines: strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), env: env, s: defaultSettings(),
		places: map[string]*token.Token{}, refused: map[*token.Token]bool{},
	}
	l.s.config = path
	root, err := l.parse(text)
	if err != nil {
		return nil, err
	}
	top := configKeys()
	if named {
		for _, k := range top.keys {
			k.required = k.required && k.name != "name"
		}
	}
	if root == nil {
		return nil, rowferry.Errorf(rowferry.CodeMissingKey, "%s is empty", path).Remedy("see", "rowferry replay --help")
	}
	l.value(top, "", root, nil)
	l.agree()
	return l.s, errors.Join(l.errs...)
}

// parse returns the root node of the only document, or nil where there is
// none.
func (l *loader) parse(text string) (root ast.Node, err error) {
	defer func() {
		// The parser is not ours, and a file must never bring the program
		// down.
		if r := recover(); r != nil {
			root, err = nil, rowferry.Errorf(rowferry.CodeBadSyntax, "%s cannot be read as YAML: %s", l.path, masked(fmt.Sprint(r)))
		}
	}()
	file, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, l.syntax(err)
	}
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType && doc.Body.GetToken().Value == "" {
			continue
		}
		if root != nil {
			return nil, l.problem(rowferry.CodeBadSyntax, firstToken(doc.Body), "there is a second document in the file, and one is read")
		}
		root = doc.Body
	}
	return root, nil
}

func (l *loader) syntax(err error) error {
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &at) && at.GetToken() != nil {
		return l.problem(rowferry.CodeBadSyntax, at.GetToken(), "this is not YAML: %s", at.GetMessage())
	}
	return rowferry.Errorf(rowferry.CodeBadSyntax, "%s is not YAML: %s", l.path, masked(err.Error()))
}

// problem returns an error about one place of the file, with the line and a
// caret under the place.
func (l *loader) problem(code rowferry.Code, at *token.Token, format string, args ...any) *rowferry.Error {
	e := rowferry.Errorf(code, "%s", masked(fmt.Sprintf(format, args...)))
	e.Unharmed = "Nothing was started."
	if at == nil || at.Position == nil {
		return e.Fact("at", "%s", l.path)
	}
	where := fmt.Sprintf("%s:%d:%d", l.path, at.Position.Line, at.Position.Column)
	if n := at.Position.Line; n >= 1 && n <= len(l.lines) {
		line, column := maskedAt(l.lines[n-1], at.Position.Column)
		where += "\n" + pointAt(line, column, masked(at.Value))
	}
	return e.Fact("at", "%s", where)
}

// pointAt returns the source line and, below it, a caret under each character
// of word from the 1-based column on. Long lines are cut around the column.
func pointAt(line string, column int, word string) string {
	const context, most = 30, 60
	rs := []rune(strings.ReplaceAll(line, "\t", " "))
	start := min(max(column-1, 0), len(rs))
	n := min(max(len([]rune(word)), 1), max(len(rs)-start, 1))
	if strings.ContainsRune(word, '\n') {
		n = 1
	}
	lead := ""
	if start > context {
		rs, start, lead = rs[start-context:], context, "…"
	}
	tail := ""
	if len(rs) > most {
		rs, tail = rs[:most], "…"
		n = max(min(n, most-start), 1)
	}
	marks := strings.Repeat(" ", start+len([]rune(lead))) + strings.Repeat("^", n)
	return lead + string(rs) + tail + "\n" + marks
}

// maskedAt is masked for a line of the file, and says where its 1-based column
// went.
func maskedAt(line string, column int) (string, int) {
	rs := []rune(line)
	before := string(rs[:min(max(column-1, 0), len(rs))])
	return masked(line), column + runes(masked(before)) - runes(before)
}
