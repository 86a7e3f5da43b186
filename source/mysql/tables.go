package mysql

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// tables knows the shapes in force, and which table a number means.
type tables struct {
	src     *Source
	head    *head
	catalog *mysql.Catalog                  // nil until the first file's head was read
	hint    func(schema.Name) *schema.Table // of the table in the target

	byNumber map[uint64]*mapping      // within one file (M34)
	byName   map[schema.Name]*mapping // the latest of each table in scope
	emitted  map[schema.Name]*schema.Table
	plain    map[*schema.Table]*schema.Table // shapes without their cascades
	headers  map[replication.EventType]*replication.RowsEvent

	learned bool                       // the catalog holds what all the log before says
	passed  map[schema.Name]*passedMap // of the log before, where it was learned
	untold  bool                       // the consumer was not told the shapes learned before the start
	gone    map[string]bool            // databases that were dropped

	usedHints map[schema.Name]bool
	unsure    map[schema.Name]bool // tables with rows and unknown constraints

	memory *arena // of what was decoded
}

// mapping is what a table map says, and the decoder for it.
type mapping struct {
	name    schema.Name
	scope   bool
	content []byte        // the table map without its number
	known   *schema.Table // what the catalog said when the decoder was made
	shape   *schema.Table
	decoder *rowDecoder
}

func newTables(s *Source) *tables {
	return &tables{
		src: s, gone: map[string]bool{}, memory: &arena{},
		byNumber: map[uint64]*mapping{}, byName: map[schema.Name]*mapping{},
		emitted: map[schema.Name]*schema.Table{}, plain: map[*schema.Table]*schema.Table{},
		headers:   map[replication.EventType]*replication.RowsEvent{},
		usedHints: map[schema.Name]bool{}, unsure: map[schema.Name]bool{},
	}
}

// file begins a new file: numbers mean other tables. whole is set if it is read
// from its start.
func (t *tables) file(h *head, whole bool) {
	t.head = h
	t.byNumber = map[uint64]*mapping{}
	if whole {
		begins(t.catalog, h)
	} else {
		t.catalog.SetVersion(h.srv.version)
	}
}

// begins brings a catalog to the start of a file.
func begins(c *mysql.Catalog, h *head) {
	c.SetVersion(h.srv.version)
	if h.started != 0 {
		c.ServerStarted()
	}
}

// mapped takes a TABLE_MAP_EVENT. Only the name is read of tables out of
// scope, and nothing again of one that has not changed.
func (t *tables) mapped(e *event) error {
	id, db, table, content, err := parseMapNames(e, t.head)
	if err != nil {
		return err
	}
	if m := t.byNumber[id]; m != nil && m.name.Schema == string(db) && m.name.Table == string(table) && (!m.scope || bytes.Equal(m.content, content)) {
		return nil
	}
	name := schema.Name{Schema: string(db), Table: string(table)}
	m := t.byName[name]
	if m == nil || !bytes.Equal(m.content, content) {
		m = &mapping{name: name, scope: t.src.opt.Scope(name)}
		if m.scope {
			m.content = bytes.Clone(content)
			t.byName[name] = m
		}
	}
	t.byNumber[id] = m
	return nil
}

// parseContent reads a table map without its number.
func parseContent(content []byte) (*replication.TableMapEvent, error) {
	return parseTableMap(slices.Concat(make([]byte, 6), content), 6)
}

// ready makes a mapping's decoder, anew where the catalog has another shape by
// now.
func (t *tables) ready(ctx context.Context, m *mapping, at place) error {
	known := t.catalog.Table(m.name)
	if m.decoder != nil && m.known == known {
		return nil
	}
	tm, err := parseContent(m.content)
	if err != nil {
		return err
	}
	if declaredSequence(known) || known == nil && isSequence(tm, t.head.srv) {
		return rowferry.Errorf(rowferry.CodeTypeRefused, "%s is a sequence, which is not carried", m.name).
			Remedy("leave it out", "exclude %s in 'tables'", m.name)
	}
	shape, err := shapeFromMap(tm, known, t.head.srv)
	if rowferry.CodeOf(err) == rowferry.CodeShapeUnknown {
		shape, err = t.elsewhere(ctx, at, m.name, tm, err)
	}
	if err != nil {
		return err
	}
	if m.decoder, err = newRowDecoder(tm, shape, t.head.srv); err != nil {
		return err
	}
	m.decoder.memory = t.memory
	m.known = t.catalog.Table(m.name)
	m.shape = t.published(t.hinted(shape))
	return nil
}

// published returns the shape as the consumer gets it: the one it has, if that
// says the same.
func (t *tables) published(shape *schema.Table) *schema.Table {
	p := t.withoutCascades(shape)
	if have := t.emitted[p.Name]; have != nil && have != p && sameShape(have, p) {
		p = have
	}
	return p
}

// sameShape compares what rows depend on: an index that comes or goes is no news
// of a table that the consumer has.
func sameShape(a, b *schema.Table) bool {
	x, err1 := json.Marshal(a.WithoutIndexes())
	y, err2 := json.Marshal(b.WithoutIndexes())
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// announce tells the consumer a table's shape unless it has it.
func (t *tables) announce(tx *assembly, shape *schema.Table) {
	if t.emitted[shape.Name] == shape {
		return
	}
	tx.shapes = append(tx.shapes, shaped{tx.count(), shape.Name, t.emitted[shape.Name]})
	t.emitted[shape.Name] = shape
	inScope := tx.inScope
	tx.add(rowferry.Change{Op: rowferry.Shape, Table: shape})
	tx.inScope = inScope // a shape is no change
}

// tell announces, in the first transaction, every table in scope that was
// learned before it: a consumer that begins here has them all, the ones that no
// row will touch included, and foreign keys find their parents.
func (t *tables) tell(tx *assembly) {
	if !t.untold {
		return
	}
	t.untold = false
	for _, x := range t.catalog.Tables() {
		if t.src.opt.Scope(x.Name) && !declaredSequence(x) {
			t.announce(tx, t.published(t.hinted(x)))
		}
	}
}

// restore takes back what the consumer was told of a table.
func (t *tables) restore(name schema.Name, was *schema.Table) {
	if was == nil {
		delete(t.emitted, name)
		return
	}
	t.emitted[name] = was
}

func (t *tables) notices() []string {
	var all []string
	list := func(what string, names map[schema.Name]bool) {
		if len(names) > 0 {
			text := make([]string, 0, len(names))
			for n := range maps.Keys(names) {
				text = append(text, n.String())
			}
			slices.Sort(text)
			all = append(all, fmt.Sprintf(what, strings.Join(text, ", ")))
		}
	}
	list("the log does not tell unique and foreign keys of %s; a --schema dump would", t.unsure)
	list("names or keys were taken from the existing target tables for %s", t.usedHints)
	return all
}
