package sqlite

import (
	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/schema"
)

// shape makes the mutation's table when it is missing, or checks it column by
// column. It is idempotent.
func (b *batch) shape(m *rowferry.Mutation) error {
	s := b.sink
	existing, err := s.inspect(m.Table)
	if err != nil {
		return err
	}
	if existing == nil {
		if existing, err = s.create(m.Table, s.parent, dialect.CreateTable); err != nil {
			return err
		}
	}
	_, err = s.adopt(m.Table, existing)
	return err
}

// compose writes the statements that make a table.
type compose func(t *schema.Table, parents dialect.Parents) (statements, notices []string, err error)

// create makes the table and returns it as it now exists.
func (s *Sink) create(t *schema.Table, parents dialect.Parents, by compose) (*dialect.Existing, error) {
	if err := s.mayCreate(t); err != nil {
		return nil, err
	}
	statements, notices, err := by(t, parents)
	if err != nil {
		return nil, s.translate(err)
	}
	for _, sql := range statements {
		if err := s.run(sql); err != nil {
			return nil, err
		}
	}
	for _, n := range notices {
		s.notice(n)
	}
	s.changedSchema()
	x, err := dialect.Inspect(s.conn, t.Name.Table)
	if err != nil {
		return nil, s.translate(err)
	}
	if x == nil {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a table that was just made does not exist").Fact("table", "%s", t.Name)
	}
	return x, nil
}

func (s *Sink) mayCreate(t *schema.Table) error {
	if s.options.CreateTables {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeTableDiffers, "a table does not exist in the target, and tables are not to be made").
		Fact("table", "%s", t.Name).Remedy("let Rowferry make it", "create_tables: true")
}

// run executes a statement that changes the schema.
func (s *Sink) run(sql string) error {
	if s.options.Trace != nil {
		s.options.Trace(sql, nil)
	}
	return s.translate(dialect.Exec(s.conn, sql))
}

// changedSchema forgets what a new table may change for others: foreign keys
// that waited for their parent.
func (s *Sink) changedSchema() {
	s.graph = nil
	for _, t := range s.targets {
		t.settled = false
	}
	if s.open != nil {
		s.open.changedSchema = true
	}
}

// parent answers for a foreign key's parent when a table is made.
func (s *Sink) parent(name schema.Name) (dialect.Parent, error) {
	p := dialect.Parent{InScope: s.options.InScope == nil || s.options.InScope(name)}
	x, err := dialect.Inspect(s.conn, name.Table)
	if err != nil {
		return p, err
	}
	if x != nil && x.Kind == "table" {
		p.Shape = x.Shape
	}
	return p, nil
}

// remake makes an empty table again without the foreign keys that cannot be
// enforced, provided that it is exactly the table that Rowferry would have
// made while their parents were still to come.
func (s *Sink) remake(t *target, unsound map[string]bool) error {
	awaited := func(name schema.Name) (dialect.Parent, error) {
		if unsound[dialect.Fold(name.Table)] {
			return dialect.Parent{InScope: true}, nil
		}
		return s.parent(name)
	}
	without := func(name schema.Name) (dialect.Parent, error) {
		p, err := s.parent(name)
		p.Late = unsound[dialect.Fold(name.Table)]
		return p, err
	}
	statements, _, err := dialect.CreateTable(t.Shape, awaited)
	if err != nil || statements[0] != t.existing.SQL {
		return unsoundError(t, unsound)
	}
	empty, err := s.isEmpty(t.quoted)
	if err != nil {
		return err
	}
	if !empty {
		return unsoundError(t, unsound)
	}
	// Where the key acts this fails, before anything is dropped.
	if _, _, err := dialect.CreateTable(t.Shape, without); err != nil {
		return s.translate(err)
	}
	s.stmts.Drop(&t.Table)
	var last int64 // keys that were set aside stay so
	if t.existing.Counts() {
		if last, err = dialect.Counter(s.conn, t.existing); err != nil {
			return s.translate(err)
		}
	}
	if err := s.run("DROP TABLE " + t.quoted); err != nil {
		return err
	}
	x, err := s.create(t.Shape, without, dialect.CreateTable)
	if err != nil {
		return err
	}
	t.existing = x
	if last == 0 {
		return nil
	}
	return s.translate(dialect.SetCounter(s.conn, x, last))
}

func unsoundError(t *target, unsound map[string]bool) error {
	e := rowferry.Errorf(rowferry.CodeTableDiffers, "a foreign key of a target table points to a table that is missing, or has no unique key over the columns it names").
		Fact("table", "%s", t.Shape.Name)
	for name := range unsound {
		e.Fact("points to", "%s", name)
	}
	return e
}

func (s *Sink) isEmpty(quoted string) (bool, error) {
	empty := true
	err := dialect.Query(s.conn, "SELECT 1 FROM "+quoted+" LIMIT 1", func(row) error {
		empty = false
		return nil
	})
	return empty, s.translate(err)
}
