package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// result is what is on record of a part.
type result struct {
	OK      bool
	Figures []string
	Commit  string
	Hash    string // of the packages it depends on
	Took    time.Duration
	RSS     int64 // peak of the largest process, bytes
}

// book is the record, in a file that is replaced after every part.
type book struct {
	path    string
	mu      sync.Mutex // guards results and the file
	results map[string]result
}

func openBook(path string) (*book, error) {
	b := &book{path: path, results: map[string]result{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return b, os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err != nil {
		return nil, err
	}
	return b, json.Unmarshal(data, &b.results)
}

func (b *book) save() error {
	data, err := json.MarshalIndent(b.results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.path+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(b.path+".new", b.path)
}

// ensureAll ensures the parts, so many at a time, and counts those that failed.
// The first error other than a failure ends it.
func (b *book) ensureAll(ctx context.Context, all []part, atOnce int) (failed int, err error) {
	next := make(chan part)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range atOnce {
		wg.Go(func() {
			for p := range next {
				ok, e := b.ensure(ctx, p)
				mu.Lock()
				if !ok {
					failed++
				}
				err = errors.Join(err, e)
				mu.Unlock()
			}
		})
	}
	for _, p := range all {
		if ctx.Err() == nil {
			next <- p
		}
	}
	close(next)
	wg.Wait()
	return failed, err
}

// ensure runs p unless its result stands, and reports whether it passed.
func (b *book) ensure(ctx context.Context, p part) (bool, error) {
	hash, err := hashOf(ctx, p.pkgs)
	if err != nil {
		return false, err
	}
	b.mu.Lock()
	old, ok := b.results[p.name]
	b.mu.Unlock()
	if ok && old.OK && old.Hash == hash {
		fmt.Fprintf(os.Stderr, "soak: %s stands (%s)\n", p.name, old.Commit)
		return true, nil
	}
	fmt.Fprintf(os.Stderr, "soak: %s …\n", p.name)
	r, output, err := execute(ctx, p)
	if err != nil {
		return false, err
	}
	r.Hash = hash
	b.mu.Lock()
	defer b.mu.Unlock()
	b.results[p.name] = r
	if !r.OK {
		fmt.Fprintf(os.Stderr, "%s\nsoak: %s FAILED\n", output, p.name)
	}
	return r.OK, b.save()
}

var figureLine = regexp.MustCompile(`figure: (.*)`)

func execute(ctx context.Context, p part) (result, []byte, error) {
	cmd, err := p.cmd(ctx)
	if err != nil {
		return result{}, nil, err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	err = cmd.Run()
	if ctx.Err() != nil {
		return result{}, nil, fmt.Errorf("cut in the middle of %s: %w", p.name, ctx.Err())
	}
	r := result{OK: err == nil, Took: time.Since(begin).Round(time.Second), Commit: commit(ctx)}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && p.maxRSS > 0 {
		r.RSS = usage.Maxrss << 10
		r.Figures = append(r.Figures, fmt.Sprintf("peak resident %d MiB of %d allowed", r.RSS>>20, p.maxRSS>>20))
		r.OK = r.OK && r.RSS <= p.maxRSS
	}
	for _, m := range figureLine.FindAllSubmatch(out.Bytes(), -1) {
		r.Figures = append(r.Figures, string(m[1]))
	}
	if execs := lastLine(out.Bytes(), "fuzz: elapsed"); execs != "" {
		r.Figures = append(r.Figures, execs)
	}
	return r, out.Bytes(), nil
}

func lastLine(out []byte, prefix string) string {
	found := ""
	for line := range bytes.Lines(out) {
		if bytes.HasPrefix(line, []byte(prefix)) {
			found = strings.TrimSpace(string(line))
		}
	}
	return found
}

// commit names the tree: the commit, marked when files differ from it.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=10").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// hashOf returns a hash over the module's own files that the packages, their
// tests included, are made of.
func hashOf(ctx context.Context, pkgs []string) (string, error) {
	args := append([]string{"list", "-deps", "-test", "-f", "{{if .Module}}{{if .Module.Main}}{{.Dir}}{{end}}{{end}}"}, pkgs...)
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("list the packages of %v: %w", pkgs, err)
	}
	dirs := strings.Fields(string(out))
	slices.Sort(dirs)
	h := sha256.New()
	for _, dir := range slices.Compact(dirs) {
		if err := hashDir(h, dir); err != nil {
			return "", err
		}
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		return "", err
	}
	h.Write(sums)
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

func hashDir(w io.Writer, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != ".go" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %d\n", e.Name(), len(data))
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	return nil
}

// page prints what is on record, and whether it is of this tree.
func (b *book) page(w io.Writer, all []part) {
	fmt.Fprintf(w, "soak, %s, tree %s\n\n", time.Now().UTC().Format(time.DateOnly), commit(context.Background()))
	for _, p := range all {
		r, ok := b.results[p.name]
		switch {
		case !ok:
			fmt.Fprintf(w, "  --    %s\n", p.name)
			continue
		case r.OK:
			fmt.Fprintf(w, "  ok    %s  (%s, %s)\n", p.name, r.Took, r.Commit)
		default:
			fmt.Fprintf(w, "  FAIL  %s  (%s, %s)\n", p.name, r.Took, r.Commit)
		}
		for _, f := range r.Figures {
			fmt.Fprintf(w, "          %s\n", f)
		}
	}
}
