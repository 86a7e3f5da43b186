package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rowferry/rowferry/internal/testdb"
)

// fileGoal is a SQLite file.
type fileGoal struct{ dir, path, saved string }

func newFileGoal(dir string) (*fileGoal, error) {
	dir, err := os.MkdirTemp(dir, "sqlite-")
	if err != nil {
		return nil, err
	}
	return &fileGoal{dir: dir, path: filepath.Join(dir, "target.db"), saved: filepath.Join(dir, "saved.db")}, nil
}

func (g *fileGoal) url(int) string       { return "sqlite:" + g.path }
func (g *fileGoal) host() *testdb.Server { return nil }
func (g *fileGoal) judge() string        { return "sqlite://" + g.path }
func (g *fileGoal) dialect() string      { return "sqlite" }
func (g *fileGoal) stop() error          { return nil }
func (g *fileGoal) close() error         { return os.RemoveAll(g.dir) }

// addIndexes leaves out those that Rowferry makes for foreign keys.
func (g *fileGoal) addIndexes(_ context.Context, all []index) error {
	return g.with(sqlite.OpenReadWrite, func(c *sqlite.Conn) error {
		there := map[index]bool{}
		err := sqlitex.ExecuteTransient(c, "SELECT tbl_name, (SELECT group_concat(name) FROM pragma_index_info(m.name)) FROM sqlite_master m WHERE type = 'index'", &sqlitex.ExecOptions{
			ResultFunc: func(s *sqlite.Stmt) error {
				there[index{s.ColumnText(0), s.ColumnText(1)}] = true
				return nil
			},
		})
		if err != nil {
			return err
		}
		for n, i := range all {
			if there[i] {
				continue
			}
			if err := sqlitex.ExecuteTransient(c, fmt.Sprintf("CREATE INDEX bench_%d ON %s (%s)", n, i.table, i.columns), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// with runs do with a connection, whose closing moves what its log has into
// the file if no other is there.
func (g *fileGoal) with(flags sqlite.OpenFlags, do func(*sqlite.Conn) error) (err error) {
	c, err := sqlite.OpenConn(g.path, flags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return do(c)
}

func (g *fileGoal) save(ctx context.Context) error {
	err := g.with(sqlite.OpenReadWrite, func(c *sqlite.Conn) error {
		return sqlitex.ExecuteTransient(c, "PRAGMA wal_checkpoint(TRUNCATE)", nil)
	})
	if err != nil {
		return err
	}
	return copyPath(ctx, g.path, g.saved)
}

// reset knows one durability: the sink's own, a flush at every commit.
func (g *fileGoal) reset(ctx context.Context, _ durability) error {
	for _, more := range []string{"-wal", "-shm"} {
		if err := os.Remove(g.path + more); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return copyPath(ctx, g.saved, g.path)
}

// warm does nothing: a copy that was just written is in memory.
func (g *fileGoal) warm(context.Context) error { return nil }

func (g *fileGoal) marker(n int64) func(context.Context) (bool, error) {
	return func(context.Context) (seen bool, err error) {
		if _, err := os.Stat(g.path); errors.Is(err, os.ErrNotExist) {
			return false, nil // not yet
		}
		err = g.with(sqlite.OpenReadOnly, func(c *sqlite.Conn) error {
			return sqlitex.ExecuteTransient(c, "SELECT n FROM marker WHERE id = 1", &sqlitex.ExecOptions{
				ResultFunc: func(s *sqlite.Stmt) error {
					seen = s.ColumnInt64(0) == n
					return nil
				},
			})
		})
		if notYet(err) {
			return false, nil
		}
		return seen, err
	}
}

// notYet reports whether an error is that of a file that its writer is about to
// make or to change.
func notYet(err error) bool {
	if err == nil {
		return false
	}
	code := sqlite.ErrCode(err).ToPrimary()
	return code == sqlite.ResultBusy || code == sqlite.ResultError && strings.Contains(err.Error(), "no such table")
}
