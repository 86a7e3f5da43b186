package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// judge tells whether a side has what the source has, by the equal program,
// which shares no code with what is judged.
type judge struct {
	bin, dir string
	dumps    map[string]string // by what the source had and for which kind of target
}

// openJudge builds the equal program in kept, where it need not be built again;
// what it writes is in dir.
func openJudge(ctx context.Context, kept, dir string) (*judge, error) {
	bin, err := filepath.Abs(filepath.Join(kept, "rowbench-equal"))
	if err != nil {
		return nil, err
	}
	j := &judge{bin: bin, dir: dir, dumps: map[string]string{}}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", j.bin, "github.com/rowferry/rowferry/internal/equal").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("build equal: %w\n%s", err, out)
	}
	return j, nil
}

// equal reports an error unless the target has the same rows as the log's
// source. The source is read once for each kind of target.
func (j *judge) equal(ctx context.Context, l *sourceLog, target, dialect string) error {
	key := fmt.Sprintf("%d:%d:%s", l.server.Port, l.marker, dialect)
	dump := j.dumps[key]
	if dump == "" {
		if err := j.forget(); err != nil {
			return err
		}
		dump = filepath.Join(j.dir, "source-"+dialect+".dump")
		out, err := exec.CommandContext(ctx, "sh", "-c", `exec "$0" dump -target "$1" "$2" > "$3"`, j.bin, dialect, judged(l.server), dump).CombinedOutput()
		if err != nil {
			return fmt.Errorf("read the source's rows: %w\n%s", err, out)
		}
		j.dumps[key] = dump
	}
	out, err := exec.CommandContext(ctx, j.bin, "compare", dump, target).CombinedOutput()
	if err != nil {
		return fmt.Errorf("not equal: %w\n%s", err, out)
	}
	return nil
}

// forget deletes the dumps: one of another log, or of a shorter one, is of no
// use any more, and large.
func (j *judge) forget() error {
	j.dumps = map[string]string{}
	old, err := filepath.Glob(filepath.Join(j.dir, "*.dump"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range old {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}
