package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// counter hands keys out that no source has.
type counter struct{ last int64 }

func (c *counter) Reserve(_ context.Context, _ schema.Name, _ string, _ int) ([]rowferry.KeyRange, error) {
	first := c.last + 1
	c.last += 3 // so that they are short often
	return []rowferry.KeyRange{{First: first, Last: c.last}}, nil
}

// book is notes in memory.
type book struct {
	notes map[string][]byte
	kept  rowferry.Kept
	given map[rowferry.ChangeID]int64
}

func (b *book) Get(key []byte) ([]byte, error) { return b.notes[string(key)], nil }
func (b *book) Put(key, value []byte) {
	if value == nil {
		delete(b.notes, string(key))
		return
	}
	b.notes[string(key)] = slices.Clone(value)
}
func (b *book) Held() rowferry.Kept   { return b.kept }
func (b *book) Count(k rowferry.Kept) { b.kept.Mapped += k.Mapped; b.kept.Waiting += k.Waiting }
func (b *book) Assigned(c rowferry.ChangeID) (int64, bool) {
	k, ok := b.given[c]
	return k, ok
}
func (b *book) Assign(c rowferry.ChangeID, key int64) { b.given[c] = key }

func (b *book) copied() *book {
	return &book{notes: maps.Clone(b.notes), kept: b.kept, given: b.given}
}

// worded makes a shape from words: a name, then columns, "id!" being of the primary
// key, "x?" nullable, "x~" unique, "x>t" a foreign key to t's id and "x>>t" one that
// is not declared.
func worded(t *testing.T, words string) *schema.Table {
	t.Helper()
	fields := strings.Fields(words)
	s := &schema.Table{Name: schema.Name{Schema: "shop", Table: fields[0]}, ConstraintsKnown: true}
	for i, f := range fields[1:] {
		name, parent, refers := strings.Cut(f, ">")
		kind := schema.Type{Kind: schema.Int, Bits: 64}
		if strings.HasSuffix(name, "$") {
			kind = schema.Type{Kind: schema.Text}
		}
		c := schema.Column{Name: strings.TrimRight(name, "!?~$"), Type: kind, Nullable: strings.Contains(name, "?")}
		s.Columns = append(s.Columns, c)
		if strings.Contains(name, "!") {
			s.PrimaryKey = append(s.PrimaryKey, i)
		}
		if strings.Contains(name, "~") {
			s.Uniques = append(s.Uniques, schema.Index{Name: c.Name, Columns: []int{i}})
		}
		if refers && !strings.HasPrefix(parent, ">") {
			s.ForeignKeys = append(s.ForeignKeys, schema.ForeignKey{Columns: []int{i}, Parent: schema.Name{Schema: "shop", Table: parent}, Referenced: []string{"id"}})
		}
	}
	return s
}

// world is a source, the target that its changes are brought to, and what leads from
// one to the other. Every row has a uid that stays, by which references are compared.
type world struct {
	t        *testing.T
	rnd      *rand.Rand
	tables   map[string]*schema.Table
	source   map[string][]rowferry.Row
	target   map[string][]rowferry.Row
	rules    *mapping.Rules
	handler  rowferry.Handler
	resolver rowferry.Resolver
	notes    *book
	uid, tx  int64
	late     map[string][]int64 // keys that rows refer to, and that are not there yet
	waited   int
}

// leads are the references of the world, by table and column.
var leads = map[string]string{
	"users.boss": "users", "users.team": "teams", "teams.lead": "users", "orders.buyer": "users", "items.order_id": "orders",
	"items.product": "products", "tags.item": "items",
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), tables: map[string]*schema.Table{}, source: map[string][]rowferry.Row{}, target: map[string][]rowferry.Row{},
		notes: &book{notes: map[string][]byte{}, given: map[rowferry.ChangeID]int64{}}, late: map[string][]int64{},
	}
	for _, words := range []string{
		"users id! uid email~ boss?>users team?>teams", "teams id! uid lead?>users", "orders id! uid buyer>users",
		"products id! uid sku~", "items order_id!>orders line! uid product>>products", "remarks id! uid kind$ subject>>x",
	} {
		s := worded(t, words)
		w.tables[s.Name.Table] = s
	}
	o := mapping.Options{Tables: []string{"shop.*"}, Namespaces: true, Entities: map[string]mapping.Entity{
		"shop.users":    {Keys: mapping.KeyRule{Key: mapping.Allocate}},
		"shop.orders":   {Keys: mapping.KeyRule{Key: mapping.Allocate}},
		"shop.teams":    {Keys: mapping.KeyRule{Key: mapping.Allocate}},
		"shop.products": {Keys: mapping.KeyRule{Key: mapping.Offset, Offset: 5000}},
		"shop.items": {Keys: mapping.KeyRule{Missing: mapping.Wait, References: []mapping.Reference{
			{Column: "product", To: mapping.Column{Table: schema.Name{Schema: "shop", Table: "products"}, Name: "id"}},
		}}},
		"shop.remarks": {Keys: mapping.KeyRule{References: []mapping.Reference{
			{Column: "subject", Kind: "kind", Text: "user", To: mapping.Column{Table: schema.Name{Schema: "shop", Table: "users"}, Name: "id"}},
			{Column: "subject", Kind: "kind", Text: "order", To: mapping.Column{Table: schema.Name{Schema: "shop", Table: "orders"}, Name: "id"}},
		}}},
	}}
	r := rules(t, o)
	w.rules, w.handler = r, mapping.NewHandler(r, nil)
	var err error
	if w.resolver, err = mapping.NewResolver(r, &counter{last: 100_000}, 0); err != nil {
		t.Fatal(err)
	}
	return w
}

// apply brings changes to the target, sometimes after an attempt that is forgotten.
func (w *world) apply(changes ...rowferry.Change) {
	w.t.Helper()
	w.tx++
	origin := &rowferry.Origin{Tx: fmt.Sprint(w.tx)}
	attempts := 1 + w.rnd.IntN(2)
	var out []rowferry.Mutation
	for n := 0; n < attempts; {
		notes := w.notes.copied()
		got, err := w.resolve(changes, origin, notes)
		if errors.Is(err, rowferry.ErrKeysShort) {
			if err := w.resolver.Reserve(context.Background()); err != nil {
				w.t.Fatal(err)
			}
			continue
		}
		if err != nil {
			w.t.Fatalf("transaction %d: %v", w.tx, err)
		}
		if n > 0 && !slices.EqualFunc(out, got, func(a, b rowferry.Mutation) bool {
			return a.Op == b.Op && slices.Equal(a.Before, b.Before) && slices.Equal(a.After, b.After)
		}) {
			w.t.Fatalf("transaction %d came to %v, and then to %v", w.tx, out, got)
		}
		if n++; n == attempts {
			w.notes = notes
		}
		out = got
	}
	w.waited = max(w.waited, int(w.notes.kept.Waiting))
	for i := range out {
		w.write(&out[i])
	}
}

func (w *world) resolve(changes []rowferry.Change, origin *rowferry.Origin, notes *book) (out []rowferry.Mutation, err error) {
	for i := range changes {
		ms, err := w.handler.Handle(nil, &changes[i])
		if err != nil {
			return nil, err
		}
		for k := range ms {
			ms[k].Origin, ms[k].Index = origin, i
			if out, err = w.resolver.Resolve(out, &ms[k], notes); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// write is a strict target: it refuses what a database would.
func (w *world) write(m *rowferry.Mutation) {
	w.t.Helper()
	name := m.Table.Name.Table
	at := -1
	if m.Op != rowferry.Insert {
		at = slices.IndexFunc(w.target[name], func(r rowferry.Row) bool {
			return !slices.ContainsFunc(m.Table.PrimaryKey, func(o int) bool { return r[o] != m.Before[o] })
		})
		if at < 0 {
			w.t.Fatalf("transaction %d: %s of a row that %s does not have: %v", w.tx, m.Op, name, m.Before)
		}
		for o, v := range m.Before {
			if !v.IsAbsent() && v != w.target[name][at][o] {
				w.t.Fatalf("transaction %d: %s of %s has %v, and the row %v", w.tx, m.Op, name, m.Before, w.target[name][at])
			}
		}
	}
	var old, now rowferry.Row
	if at >= 0 {
		old = w.target[name][at]
	}
	switch m.Op {
	case rowferry.Insert:
		now = m.After
		w.target[name] = append(w.target[name], now)
	case rowferry.Update:
		now = slices.Clone(old)
		for o, v := range m.After {
			if !v.IsAbsent() {
				now[o] = v
			}
		}
		w.target[name][at] = now
	default:
		w.target[name] = slices.Delete(w.target[name], at, at+1)
	}
	w.check(m, old, now)
}

func (w *world) check(m *rowferry.Mutation, old, now rowferry.Row) {
	w.t.Helper()
	name := m.Table.Name.Table
	for _, u := range append([]schema.Index{{Columns: m.Table.PrimaryKey}}, m.Table.Uniques...) {
		same := 0
		for _, r := range w.target[name] {
			if now != nil && !slices.ContainsFunc(u.Columns, func(o int) bool { return r[o] != now[o] }) {
				same++
			}
		}
		if same > 1 {
			w.t.Fatalf("transaction %d: %s of %s: %v is not unique in %v", w.tx, m.Op, name, now, u.Columns)
		}
	}
	for _, k := range m.Table.ForeignKeys {
		if o := k.Columns[0]; now != nil && !now[o].IsNull() && w.byID(w.target, k.Parent.Table, now[o]) == nil {
			w.t.Fatalf("transaction %d: %s of %s: column %d of %v leads nowhere", w.tx, m.Op, name, o, now)
		}
	}
	if old == nil || now != nil && now[0] == old[0] {
		return
	}
	for child, s := range w.tables {
		for _, k := range s.ForeignKeys {
			for _, r := range w.target[child] {
				if k.Parent.Table == name && r[k.Columns[0]] == old[0] {
					w.t.Fatalf("transaction %d: %s of %s %v, to which %s %v refers", w.tx, m.Op, name, old, child, r)
				}
			}
		}
	}
}

func (w *world) byID(in map[string][]rowferry.Row, table string, id rowferry.Value) rowferry.Row {
	for _, r := range in[table] {
		if r[0] == id {
			return r
		}
	}
	return nil
}

// some returns the key of a row to refer to, of one that is to come now and then.
func (w *world) some(table string) rowferry.Value {
	rows := w.source[table]
	if len(rows) == 0 || w.rnd.IntN(8) == 0 {
		if late := w.late[table]; len(late) > 0 && w.rnd.IntN(2) == 0 {
			return rowferry.IntValue(late[w.rnd.IntN(len(late))])
		}
		w.uid++
		w.late[table] = append(w.late[table], w.uid)
		return rowferry.IntValue(w.uid)
	}
	return rows[w.rnd.IntN(len(rows))][0]
}

func (w *world) orNull(v func() rowferry.Value) rowferry.Value {
	if w.rnd.IntN(3) == 0 {
		return rowferry.NullValue()
	}
	return v()
}

// row makes a row of a table, with a key that is waited for where there is one.
func (w *world) row(table string) rowferry.Row {
	w.uid++
	id := rowferry.IntValue(w.uid)
	if late := w.late[table]; len(late) > 0 {
		i := w.rnd.IntN(len(late))
		id = rowferry.IntValue(late[i])
		w.late[table] = slices.Delete(late, i, i+1)
	}
	w.uid++
	uid := rowferry.IntValue(w.uid)
	switch table {
	case "users":
		boss := w.orNull(func() rowferry.Value { return w.some("users") })
		if w.rnd.IntN(20) == 0 {
			boss = id
		}
		return rowferry.Row{id, uid, uid, boss, w.orNull(func() rowferry.Value { return w.some("teams") })}
	case "teams":
		return rowferry.Row{id, uid, w.orNull(func() rowferry.Value { return w.some("users") })}
	case "orders":
		return rowferry.Row{id, uid, w.some("users")}
	case "products":
		return rowferry.Row{id, uid, uid}
	case "items":
		return rowferry.Row{w.some("orders"), uid, uid, w.some("products")}
	default:
		kind := []string{"user", "order", "nothing"}[w.rnd.IntN(3)]
		subject := rowferry.IntValue(7)
		if kind != "nothing" {
			subject = w.some(kind + "s")
		}
		return rowferry.Row{id, uid, rowferry.TextValue(kind), subject}
	}
}

func (w *world) insert(table string) {
	row := w.row(table)
	w.source[table] = append(w.source[table], row)
	w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables[table], After: row})
}

// referred reports whether a row is one that others refer to.
func (w *world) referred(table string, id rowferry.Value) bool {
	for lead, to := range leads {
		child, column, _ := strings.Cut(lead, ".")
		if to != table || w.tables[child] == nil {
			continue
		}
		for _, r := range w.source[child] {
			if r[w.tables[child].Column(column)] == id && !(child == table && r[0] == id) {
				return true
			}
		}
	}
	for _, r := range w.source["remarks"] {
		if r[2].Str()+"s" == table && r[3] == id {
			return true
		}
	}
	return false
}

func (w *world) update(table string) {
	rows := w.source[table]
	if len(rows) == 0 {
		return
	}
	i := w.rnd.IntN(len(rows))
	old, now := rows[i], slices.Clone(rows[i])
	w.uid++
	fresh := rowferry.IntValue(w.uid)
	switch what := w.rnd.IntN(3); {
	case table == "users" && what == 0:
		now[3], now[4] = w.orNull(func() rowferry.Value { return w.some("users") }), w.orNull(func() rowferry.Value { return w.some("teams") })
	case table == "users" && what == 1, table == "products" && what < 2:
		w.swap(table, i)
		return
	case table == "orders":
		now[2] = w.some("users")
	case table == "teams":
		now[2] = w.orNull(func() rowferry.Value { return w.some("users") })
	case table == "items":
		now[3] = w.some("products")
	case table == "products" && w.notes.kept.Waiting > 0:
		return // a shifted key that moves while a row waits that has to leave it may close a circle
	case !w.referred(table, old[0]) && old[0] != old[len(old)-1]:
		if k := w.rnd.IntN(len(rows)); k != i && !w.referred(table, rows[k][0]) && table != "items" && table != "users" && w.rnd.IntN(2) == 0 {
			first, then := slices.Clone(rows[k]), slices.Clone(old) // keys that move in a chain
			first[0], then[0] = fresh, rows[k][0]
			changes := []rowferry.Change{w.changed(table, rows[k], first), w.changed(table, old, then)}
			rows[k], rows[i] = first, then
			w.apply(changes...)
			return
		}
		now[0] = fresh // a key that changes
		if table == "users" && now[3] == old[0] {
			now[3] = rowferry.NullValue()
		}
	default:
		return
	}
	if table == "remarks" && now[0] != old[0] && w.rnd.IntN(2) == 0 {
		now[0] = old[0]
		now[2], now[3] = rowferry.TextValue("user"), w.some("users")
	}
	rows[i] = now
	w.apply(w.changed(table, old, now))
}

// changed is an update, whose images lack what did not change now and then.
func (w *world) changed(table string, old, now rowferry.Row) rowferry.Change {
	c := rowferry.Change{Op: rowferry.Update, Table: w.tables[table], Before: old, After: now}
	if w.rnd.IntN(3) == 0 {
		c.After = slices.Clone(now)
		for o := range now {
			if now[o] == old[o] {
				c.After[o] = rowferry.Value{}
			}
		}
	}
	return c
}

// swap has a row give its unique value to another one.
func (w *world) swap(table string, i int) {
	rows := w.source[table]
	k := w.rnd.IntN(len(rows))
	if i == k {
		return
	}
	w.uid++
	var changes []rowferry.Change
	value := rows[i][2]
	for _, step := range []struct {
		row int
		to  rowferry.Value
	}{{i, rowferry.IntValue(w.uid)}, {k, value}} {
		now := slices.Clone(rows[step.row])
		now[2] = step.to
		changes = append(changes, w.changed(table, rows[step.row], now))
		rows[step.row] = now
	}
	w.apply(changes...)
}

func (w *world) remove(table string) {
	rows := w.source[table]
	if len(rows) == 0 {
		return
	}
	i := w.rnd.IntN(len(rows))
	if w.referred(table, rows[i][0]) {
		return
	}
	old := rows[i]
	w.source[table] = slices.Delete(rows, i, i+1)
	w.apply(rowferry.Change{Op: rowferry.Delete, Table: w.tables[table], Before: old})
	if w.rnd.IntN(4) == 0 && table != "items" { // a new row takes the key
		w.late[table] = append(w.late[table], old[0].Int())
		w.insert(table)
	}
}

// arrive brings every row that others refer to.
func (w *world) arrive() {
	for more := true; more; {
		more = false
		for _, table := range []string{"users", "teams", "orders", "products"} {
			for len(w.late[table]) > 0 {
				w.insert(table)
				more = true
			}
		}
	}
}

// natural returns the rows with references in the form of what they lead to.
func (w *world) natural(side map[string][]rowferry.Row) []string {
	var all []string
	uid := func(table string, id rowferry.Value) string {
		if id.IsNull() {
			return "NULL"
		}
		r := w.byID(side, table, id)
		if r == nil {
			return "nowhere"
		}
		return r[1].String()
	}
	for name, rows := range side {
		for _, r := range rows {
			line := name
			for o, c := range w.tables[name].Columns {
				switch to := leads[name+"."+c.Name]; {
				case to != "":
					line += " " + c.Name + "=" + uid(to, r[o])
				case c.Name == "subject" && r[2].Str() != "nothing":
					line += " subject=" + uid(r[2].Str()+"s", r[o])
				case c.Name != "id":
					line += " " + c.Name + "=" + r[o].String()
				}
			}
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return all
}

// TestReferences: whatever comes before what it refers to, keys that are given anew,
// that are shifted and that change, and attempts that are forgotten: the target
// never refuses a change, and in the end every reference leads to the same row.
func TestReferences(t *testing.T) {
	most := 0
	for seed := range worlds(150, 40_000) {
		w := newWorld(t, seed)
		names := slices.Sorted(maps.Keys(w.tables))
		for range 250 {
			table := names[w.rnd.IntN(len(names))]
			switch w.rnd.IntN(6) {
			case 0, 1, 2:
				w.insert(table)
			case 3, 4:
				w.update(table)
			default:
				w.remove(table)
			}
		}
		most = max(most, w.waited)
		w.arrive()
		if w.notes.kept.Waiting != 0 {
			t.Fatalf("seed %d: %d rows still wait", seed, w.notes.kept.Waiting)
		}
		for key := range w.notes.notes {
			if key[0] != 'k' && key[0] != 'q' {
				t.Fatalf("seed %d: a note %q is left in the empty room", seed, key)
			}
		}
		want, got := w.natural(w.source), w.natural(w.target)
		if !slices.Equal(want, got) {
			lacks := func(a, b []string) string {
				return strings.Join(slices.DeleteFunc(slices.Clone(a), func(l string) bool { return slices.Contains(b, l) }), "\n\t")
			}
			t.Fatalf("seed %d: only in the source\n\t%s\nonly in the target\n\t%s", seed, lacks(want, got), lacks(got, want))
		}
	}
	if most < 5 {
		t.Errorf("at most %d rows waited at the same time", most)
	}
}

// worlds is how many are tried, few in make test and many in make soak.
func worlds(few, many uint64) uint64 {
	if os.Getenv("SCALE") == "soak" {
		return many
	}
	return few
}
