package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/rowferry/rowferry"
)

// loader walks a parsed file along the declared keys and collects every
// error.
type loader struct {
	path  string
	lines []string
	env   map[string]string
	s     *settings
	errs  []error
	// places are the keys that were found, by full name, and refused those
	// whose values gave an error.
	places  map[string]*token.Token
	refused map[*token.Token]bool
}

func (l *loader) fail(e *rowferry.Error) { l.errs = append(l.errs, e) }

// value reads one node as what key takes. name is the key's full name, for
// people; under holds the free names on the way.
func (l *loader) value(k *key, name string, n ast.Node, under []string) {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		l.fail(l.problem(rowferry.CodeBadValue, n.GetToken(), "anchors, aliases and tags are not read here"))
		return
	}
	switch k.kind {
	case mappingKey:
		l.mapping(k, name, n, under)
	case namedKey:
		l.named(k, name, n, under)
	case listKey:
		l.list(k, name, n, under)
	case switchKey, textKey, numberKey:
		if k.or != nil && isMapping(n) {
			l.value(k.or, name, n, under)
			return
		}
		if text, ok := l.scalar(k, name, n); ok {
			l.store(k, name, n, under, text)
		}
	default:
		panic(fmt.Sprintf("configuration key %s has kind %d", name, k.kind))
	}
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	default:
		return false
	}
}

func (l *loader) mapping(k *key, name string, n ast.Node, under []string) {
	seen := map[string]*token.Token{}
	ok := l.entries(name, n, func(at *token.Token, sub string, v ast.Node) {
		if !l.once(seen, join(name, sub), sub, at) {
			return
		}
		i := slices.IndexFunc(k.keys, func(k *key) bool { return k.name == sub })
		if i < 0 {
			l.fail(l.unknown(k, name, sub, at))
			return
		}
		before := len(l.errs)
		l.places[join(name, sub)] = at
		l.value(k.keys[i], join(name, sub), v, under)
		l.refused[at] = len(l.errs) > before
	})
	if !ok {
		return
	}
	if k.one && len(seen) != 1 {
		var names []string
		for _, sub := range k.keys {
			names = append(names, sub.name)
		}
		l.fail(l.problem(rowferry.CodeMissingKey, firstToken(n), "%s takes one of %s", name, strings.Join(names, " and ")))
	}
	for _, sub := range k.keys {
		if seen[sub.name] == nil && sub.required {
			e := l.problem(rowferry.CodeMissingKey, firstToken(n), "%s is missing", join(name, sub.name))
			if sub.example != "" {
				e.Remedy("add", "%s: %s", sub.name, sub.example)
			}
			l.fail(e)
		}
	}
}

func (l *loader) named(k *key, name string, n ast.Node, under []string) {
	seen := map[string]*token.Token{}
	l.entries(name, n, func(at *token.Token, sub string, v ast.Node) {
		if !l.once(seen, join(name, sub), sub, at) {
			return
		}
		if err := k.named(sub); err != nil {
			l.locate(err, at)
			return
		}
		l.value(k.each, join(name, sub), v, append(slices.Clip(under), sub))
	})
}

// once reports whether a key is the first of its name.
func (l *loader) once(seen map[string]*token.Token, full, sub string, at *token.Token) bool {
	if first := seen[sub]; first != nil {
		l.fail(l.problem(rowferry.CodeBadSyntax, at, "%s is given twice, first on line %d", full, first.Position.Line))
		return false
	}
	seen[sub] = at
	return true
}

// entries calls fn for each key of a mapping, and reports whether n is one.
func (l *loader) entries(name string, n ast.Node, fn func(at *token.Token, key string, v ast.Node)) bool {
	var list []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		list = n.Values
	case *ast.MappingValueNode:
		list = []*ast.MappingValueNode{n}
	default:
		l.wrongType(name, "a mapping", "", n)
		return false
	}
	for _, v := range list {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			l.fail(l.problem(rowferry.CodeWrongType, v.Key.GetToken(), "a key has to be plain text"))
			continue
		}
		fn(key.Token, key.Value, v.Value)
	}
	return true
}

func (l *loader) list(k *key, name string, n ast.Node, under []string) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		l.wrongType(name, "a list", k.example, n)
		return
	}
	for i, v := range seq.Values {
		if text, ok := l.scalar(k, fmt.Sprintf("%s[%d]", name, i), v); ok {
			l.store(k, fmt.Sprintf("%s[%d]", name, i), v, under, text)
		}
	}
}

// scalar returns the node's text with the environment put in, and whether it
// is what the key takes.
func (l *loader) scalar(k *key, name string, n ast.Node) (string, bool) {
	var text string
	switch n := n.(type) {
	case *ast.StringNode:
		text = n.Value
	case *ast.LiteralNode:
		text = n.Value.Value
	case *ast.NullNode: // where it is written, it may be the name of a value
		if said := n.GetToken().Value; slices.Contains(k.values, said) {
			return said, true
		}
	case *ast.BoolNode:
		if k.kind == switchKey {
			return strconv.FormatBool(n.Value), true
		}
	case *ast.IntegerNode:
		if k.kind == numberKey {
			return n.GetToken().Value, true
		}
	}
	expanded, missing := expand(text, l.env)
	for _, v := range missing {
		l.fail(l.problem(rowferry.CodeBadValue, n.GetToken(), "the environment variable %s is not set", v).
			Remedy("set it", "export %s=…", v))
	}
	switch {
	case missing != nil:
		return "", false
	case k.kind == switchKey && (expanded == "true" || expanded == "false") && expanded != text:
		return expanded, true
	case k.kind == switchKey:
		l.wrongType(name, "true or false", "", n)
		return "", false
	case k.kind == numberKey && expanded == "":
		l.wrongType(name, "a number", k.example, n)
		return "", false
	case expanded == "":
		l.wrongType(name, "text", k.example, n)
		return "", false
	}
	return expanded, true
}

func (l *loader) store(k *key, name string, n ast.Node, under []string, text string) {
	if k.values != nil && !slices.Contains(k.values, text) {
		e := l.problem(rowferry.CodeBadValue, n.GetToken(), "%s takes %s, not %q", name, strings.Join(k.values, " or "), text)
		for _, near := range nearest(text, k.values) {
			e.Remedy("did you mean", "%s", near)
		}
		l.fail(e)
		return
	}
	if k.check != nil {
		if err := k.check(text); err != nil {
			l.locate(err, n.GetToken())
			return
		}
	}
	k.set(l.s, under, text)
}

// locate adds the place in the file to an error about a value.
func (l *loader) locate(err error, at *token.Token) {
	for _, e := range problems(err) {
		placed := l.problem(rowferry.CodeBadValue, at, "%v", e)
		if coded, ok := e.(*rowferry.Error); ok {
			placed.Code, placed.What = coded.Code, coded.What
			placed.Facts = append(placed.Facts, coded.Facts...)
			placed.Remedies = coded.Remedies
		}
		l.fail(placed)
	}
}

func (l *loader) unknown(k *key, name, sub string, at *token.Token) *rowferry.Error {
	var names []string
	for _, k := range k.keys {
		names = append(names, k.name)
	}
	e := l.problem(rowferry.CodeUnknownKey, at, "unknown key %q", join(name, sub))
	if near := nearest(sub, names); near != nil {
		return e.Remedy("did you mean", "%s", strings.Join(near, ", "))
	}
	return e.Remedy("known here", "%s", strings.Join(names, ", "))
}

func (l *loader) wrongType(name, want, example string, n ast.Node) {
	if name == "" {
		name = "the file"
	}
	got := typeOf(n)
	e := l.problem(rowferry.CodeWrongType, firstToken(n), "%s takes %s, and this is %s", name, want, got)
	switch {
	case want == "text" && example != "":
		e.Remedy("for example", "%s", example)
	case want == "text" && got == "a number":
		e.Remedy("as text", "%q", n.GetToken().Value)
	case want == "a list" && got == "text" && !strings.HasSuffix(name, "_command"): // a command's words are not one
		e.Remedy("as a list", "[%q]", n.GetToken().Value)
	case want == "a list" && example != "":
		e.Remedy("for example", "%s", example)
	}
	l.fail(e)
}

// typeOf says for people what a node is.
func typeOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.LiteralNode:
		return "text"
	case *ast.StringNode:
		if n.Value == "" {
			return "empty text"
		}
		return "text"
	default:
		return "something else"
	}
}

// firstToken is where a node begins; a block mapping's own token is the colon
// after its first key.
func firstToken(n ast.Node) *token.Token {
	switch n := n.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return n.GetToken()
}

// expand puts the environment into ${env:NAME}, and returns the names that
// are not set.
func expand(text string, env map[string]string) (expanded string, missing []string) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "${env:")
		b.WriteString(before)
		if !ok {
			return b.String(), missing
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("${env:" + rest)
			return b.String(), missing
		}
		v, set := env[name]
		if !set {
			missing = append(missing, name)
		}
		b.WriteString(v)
		text = after
	}
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}
