package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// dirPrefix is of everything temporary; the process's id follows.
const dirPrefix = "rowbench-"

// bench is a run of the program.
type bench struct {
	opts    *options
	book    *book
	judge   *judge
	bin     string // Rowferry, absolute
	hash    string // of what it is built from
	commit  string
	dir     string // temporary
	machine machine
	errOut  io.Writer
	begun   time.Time
	report  *report
}

func openBench(ctx context.Context, o *options, errOut io.Writer) (b *bench, err error) {
	sweep()
	b = &bench{opts: o, errOut: errOut, begun: time.Now(), commit: commitOf(ctx)}
	if b.book, err = openBook(o.book); err != nil {
		return nil, fmt.Errorf("read the book: %w", err)
	}
	if b.bin, err = filepath.Abs(o.bin); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", dirPrefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return nil, err
	}
	if err = b.open(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) open(ctx context.Context) (err error) {
	if _, err := os.Stat(b.bin); err != nil {
		return fmt.Errorf("the program to measure: %w; run: make build", err)
	}
	kept := filepath.Dir(b.opts.book)
	if b.hash, err = hashOf(ctx, kept); err != nil {
		return err
	}
	if b.judge, err = openJudge(ctx, kept, b.dir); err != nil {
		return err
	}
	b.machine, err = thisMachine(b.dir)
	return err
}

func (b *bench) close() error { return os.RemoveAll(b.dir) }

// sweep deletes what processes that are gone have left. Errors do not matter:
// another process may sweep at the same time.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, path := range left {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), dirPrefix), "-")
		if _, err := os.Stat(filepath.Join("/proc", pid)); os.IsNotExist(err) {
			_ = os.RemoveAll(path)
		}
	}
}

// say prints progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.errOut, "%7s  %s\n", time.Since(b.begun).Round(time.Second), fmt.Sprintf(format, args...))
}

// chosen are the groups with only the rows that match.
func chosen(all []*group, pattern *regexp.Regexp) (left []*group) {
	for _, g := range all {
		some := *g
		some.rows = nil
		for _, r := range g.rows {
			if pattern.MatchString(r.name()) {
				some.rows = append(some.rows, r)
			}
		}
		if len(some.rows) > 0 {
			left = append(left, &some)
		}
	}
	return left
}

// run measures what the book does not have and writes the results after every
// row. A row that fails does not keep the others from being measured.
func (b *bench) run(ctx context.Context, groups []*group) error {
	if err := b.publish(); err != nil {
		return err
	}
	var errs []error
	for _, g := range groups {
		if ctx.Err() != nil {
			break
		}
		if err := b.runGroup(ctx, g); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", g.source, g.work.name, err))
		}
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// runGroup measures the rows of a group that are not in the book.
func (b *bench) runGroup(ctx context.Context, g *group) (err error) {
	key, err := b.key(g)
	if err != nil {
		return err
	}
	var open []*row
	withNative, targets := false, map[testdb.Kind]bool{}
	for _, r := range g.rows {
		if b.book.get(b.bookName(r), key) != nil {
			b.say("%s stands", r.name())
			continue
		}
		open = append(open, r)
		withNative = withNative || r.native
		if r.target != "" {
			targets[r.target] = true
		}
	}
	if len(open) == 0 {
		return nil
	}
	s, err := openStage(ctx, b, g.source, g.work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if g.copies {
		err = s.prepareCopy(ctx, targets)
	} else {
		err = s.prepare(ctx, withNative, targets)
	}
	if err == nil && g.kept {
		err = s.prepareKept(ctx, targets)
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range open {
		if ctx.Err() != nil {
			break
		}
		if err := b.measure(ctx, s, r, key); err != nil {
			b.say("FAILED: %s: %v", r.name(), err)
			errs = append(errs, fmt.Errorf("%s: %w", r.name(), errors.Join(err, s.quiet())))
		}
	}
	return errors.Join(errs...)
}

func (b *bench) measure(ctx context.Context, s *stage, r *row, key string) error {
	b.say("%s", r.name())
	if err := s.broken[r.target]; err != nil {
		return err
	}
	entries, err := r.measure(ctx, s, r)
	if err != nil {
		return err
	}
	for _, e := range entries {
		e.Commit, e.Measured = b.commit, time.Now().UTC().Truncate(time.Second)
		b.say("%s, %s, %s: %s (%s – %s) %s", e.Pair, e.Workload, e.Durability, number(e.RatioMedian), number(e.RatioMin), number(e.RatioMax), e.verdict())
		if e.Void != "" {
			b.say("  void: %s", e.Void)
		}
	}
	if err := b.book.put(b.bookName(r), key, entries); err != nil {
		return err
	}
	return b.publish()
}

// form is what the results are called.
func (b *bench) form() string {
	if b.opts.short {
		return "short"
	}
	return "full"
}

// bookName keeps the forms apart, so that one does not undo the other.
func (b *bench) bookName(r *row) string { return b.form() + " " + r.name() }

// key changes with whatever a group's results depend on.
func (b *bench) key(g *group) (string, error) {
	digest, err := g.work.digest()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("rowferry %s, workload %s, %g seconds, %d turns, scale %g", b.hash, digest, b.opts.seconds, b.opts.turns, b.opts.scale), nil
}

// publish writes the results that stand, in the plan's order, and the chart.
func (b *bench) publish() error {
	r := &report{
		Machine: b.machine, Form: b.form(), Seconds: b.opts.seconds, Turns: b.opts.turns, Scale: b.opts.scale, Results: []*entry{},
	}
	for _, g := range plan(b.opts) {
		key, err := b.key(g)
		if err != nil {
			return err
		}
		for _, row := range g.rows {
			r.Results = append(r.Results, b.book.get(b.bookName(row), key)...)
		}
	}
	b.report = r
	if len(r.Results) == 0 {
		return nil
	}
	return errors.Join(
		r.write(filepath.Join(b.opts.out, "results.json")),
		replaceFile(filepath.Join(b.opts.out, "results.svg"), r.chart()))
}

// commitOf names the tree: the commit, marked when files differ from it.
func commitOf(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=10").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// hashOf is of Rowferry built without the commit's name: it changes when the
// program does. What is built stays in dir, where it need not be built again.
func hashOf(ctx context.Context, dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, "rowbench-unstamped"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/rowferry/rowferry/cmd/rowferry")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build rowferry: %w\n%s", err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), nil
}
