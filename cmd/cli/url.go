package cli

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
)

// splitURL takes a source's or target's URL apart: scheme:path, or
// scheme:///path for an absolute path, both percent-encoded.
func splitURL(text string) (scheme, path string, err error) {
	scheme, path, ok := strings.Cut(text, ":")
	if !ok || scheme == "" {
		return "", "", rowferry.Errorf(rowferry.CodeBadValue, "%q is not a URL", masked(text))
	}
	if rest, slashes := strings.CutPrefix(path, "//"); slashes {
		if !strings.HasPrefix(rest, "/") {
			host, _, _ := strings.Cut(rest, "/")
			if i := strings.LastIndex(rest, "@"); i >= 0 { // what is before it may be a login
				host, rest = rest[i+1:], rest[i+1:]
			}
			return "", "", rowferry.Errorf(rowferry.CodeBadValue, "%q names a host, %q, where only files are read and written", scheme+"://"+rest, host).
				Remedy("a relative path", "%s:%s", scheme, rest).
				Remedy("an absolute path", "%s:///%s", scheme, rest)
		}
		path = rest
	}
	path, err = url.PathUnescape(path)
	if err != nil {
		return "", "", rowferry.Errorf(rowferry.CodeBadValue, "%q is not a URL: %w", masked(text), err).Remedy("a percent sign", "is written %%25")
	}
	if path == "" {
		return "", "", rowferry.Errorf(rowferry.CodeBadValue, "%q has no path", masked(text))
	}
	if strings.ContainsRune(path, 0) {
		return "", "", rowferry.Errorf(rowferry.CodeBadValue, "%q has a zero byte in its path", masked(text))
	}
	return scheme, path, nil
}

// joinURL is the inverse of splitURL.
func joinURL(scheme, path string) string {
	path = strings.NewReplacer("%", "%25").Replace(path)
	if strings.HasPrefix(path, "/") {
		return scheme + "://" + path
	}
	return scheme + ":" + path
}

var (
	sourceSchemes = []string{"binlog", "mysql", "mariadb", "postgres"}
	targetSchemes = []string{"postgres", "mysql", "mariadb", "sqlite", "jsonl"}
)

// isServer reports whether the URL is of a server, by its scheme.
func isServer(text string) bool {
	scheme, _, _ := strings.Cut(text, ":")
	return slices.Contains(connect.Schemes(), scheme)
}

func checkSource(text string) error { return checkScheme(text, "source", sourceSchemes) }
func checkTarget(text string) error { return checkScheme(text, "target", targetSchemes) }

func checkScheme(text, what string, known []string) error {
	scheme, path, err := splitURL(text)
	if given, _, ok := strings.Cut(text, ":"); ok && given != "" {
		scheme = given
	}
	switch {
	case scheme == "":
		return err
	case slices.Contains(known, scheme) && isServer(text):
		_, err := connect.Parse(text)
		return err
	case !slices.Contains(known, scheme):
		scheme = scheme[strings.LastIndex(scheme, "@")+1:]
		e := rowferry.Errorf(rowferry.CodeBadValue, "there is no %s %q", what, scheme)
		if near := nearest(scheme, known); near != nil {
			return e.Remedy("did you mean", "%s", near[0])
		}
		return e.Remedy("known", "%s", strings.Join(known, ", "))
	case err != nil:
		return err
	case path == "-" && scheme != "jsonl":
		return rowferry.Errorf(rowferry.CodeBadValue, "%s cannot be written to standard output", scheme)
	}
	return nil
}

// toStdout reports whether rows go to standard output.
func (s *settings) toStdout() bool {
	return s.target == "jsonl:-"
}

// checkFiles refuses a pattern that names no file. What a pattern takes of
// what it finds is the source's business.
func checkFiles(patterns []string) error {
	for _, p := range patterns {
		if _, err := os.Lstat(p); err == nil { // a name with brackets is a name first
			continue
		}
		found, err := filepath.Glob(p)
		if err != nil {
			return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a file pattern: %w", p, err)
		}
		if len(found) == 0 {
			return rowferry.Errorf(rowferry.CodeLogUnreadable, "no file matches %q", p).
				Remedy("look", "ls -l %s", quote(filepath.Dir(p)))
		}
	}
	return nil
}
