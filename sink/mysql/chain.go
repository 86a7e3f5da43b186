package mysql

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// mostLevels is how many acting foreign keys may follow each other.
const mostLevels = 2

// chains are the acting foreign keys of a server that carries them out above
// InnoDB, as MySQL does from 9.6 on unless innodb_native_foreign_keys is ON.
// Up to 9.7.4 at least, a DELETE there leaves rows behind whose parents are
// gone, without an error, where such keys follow each other over more than two
// levels, lead back to a table of their own chain, or reach a table by two
// ways. Chains of at most two levels that do neither, and InnoDB's own
// cascades, are right.
type chains struct {
	children, parents map[schema.Name][]schema.Name
}

// readChains returns the server's chains, or nil where InnoDB cascades itself.
func (s *Sink) readChains(ctx context.Context, se *session) (*chains, error) {
	if !s.server.cascadesAbove {
		return nil, nil
	}
	c := &chains{children: map[schema.Name][]schema.Name{}, parents: map[schema.Name][]schema.Name{}}
	err := se.query(ctx, `SELECT CONSTRAINT_SCHEMA, TABLE_NAME, UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE
		FROM information_schema.REFERENTIAL_CONSTRAINTS ORDER BY CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME`,
		func(scan func(...any) error) error {
			var child, parent schema.Name
			var onDelete, onUpdate string
			if err := scan(&child.Schema, &child.Table, &parent.Schema, &parent.Table, &onDelete, &onUpdate); err != nil {
				return err
			}
			for _, rule := range []string{onDelete, onUpdate} {
				action, err := actionOf(rule)
				if err != nil {
					return err
				}
				if action.Acts() {
					child, parent = s.server.foldName(child), s.server.foldName(parent)
					c.children[parent] = append(c.children[parent], child)
					c.parents[child] = append(c.parents[child], parent)
					break
				}
			}
			return nil
		})
	return c, err
}

// check refuses a table from which, or from whose parents, the server's
// cascades could go wrong.
func (c *chains) check(t schema.Name) error {
	if c == nil {
		return nil
	}
	for _, top := range c.above(t) {
		path := c.unsafe([]schema.Name{top}, map[schema.Name]bool{top: true})
		if path == nil {
			continue
		}
		names := make([]string, len(path))
		for i, n := range path {
			names[i] = n.String()
		}
		return rowferry.Errorf(rowferry.CodeCascades, "the target's server leaves rows behind when foreign keys act over so many tables").
			Fact("table", "%s", t).Fact("foreign keys", "%s", strings.Join(names, " ← ")).
			Remedy("let InnoDB cascade", "innodb_native_foreign_keys=ON on the target, and start it again")
	}
	return nil
}

// above returns t and every table whose changes may reach it.
func (c *chains) above(t schema.Name) []schema.Name {
	all := []schema.Name{t}
	for i := 0; i < len(all); i++ {
		for _, p := range c.parents[all[i]] {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// unsafe returns the first way down from the end of path that is too long or
// comes to a table for the second time, or nil.
func (c *chains) unsafe(path []schema.Name, seen map[schema.Name]bool) []schema.Name {
	for _, child := range c.children[path[len(path)-1]] {
		way := append(slices.Clone(path), child)
		if seen[child] || len(way)-1 > mostLevels {
			return way
		}
		seen[child] = true
		if found := c.unsafe(way, seen); found != nil {
			return found
		}
	}
	return nil
}
