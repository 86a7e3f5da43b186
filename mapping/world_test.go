package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

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
	minimal  bool    // old images have the key alone
	foreign  []int64 // emails of users that the target had before, and that no user of the source had yet
	strict   bool    // no row comes before its parent
	// refuses reports whether the target refuses a mutation for what it holds.
	refuses func(m *rowferry.Mutation) bool
	stopped bool
	reach   func(c *rowferry.Change) // is told what is resolved next; nil but in a copy
	lag     *lag                     // of a world whose log is held back; nil where it is not
	// crossing has a transaction be refused where a row that others follow enters or leaves
	// the target by it, which crossed then tells.
	crossing, crossed bool
}

// leads are the references of the world, by table and column.
var leads = map[string]string{
	"users.boss": "users", "users.team": "teams", "teams.lead": "users", "orders.buyer": "users", "items.order_id": "orders",
	"items.product": "products", "tags.item": "items", "bills.account": "accounts", "lines.bill": "bills", "notices.bill": "bills", "stamps.notice": "notices",
}

func newWorld(t *testing.T, seed uint64) *world {
	return newWorldOf(t, seed, worldRules(mapping.KeyRule{Key: mapping.Allocate}))
}

func newWorldOf(t *testing.T, seed uint64, o mapping.Options) *world {
	t.Helper()
	w := emptyWorld(t, seed)
	w.begin([]string{
		"users id! uid email~ boss?>users team?>teams", "teams id! uid lead?>users", "orders id! uid buyer>users",
		"products id! uid sku~", "items order_id!>orders line! uid product>>products", "remarks id! uid kind$ subject>>x",
	}, o)
	return w
}

func emptyWorld(t *testing.T, seed uint64) *world {
	return &world{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), tables: map[string]*schema.Table{}, source: map[string][]rowferry.Row{}, target: map[string][]rowferry.Row{},
		notes: &book{notes: map[string][]byte{}, given: map[rowferry.ChangeID]int64{}}, late: map[string][]int64{},
	}
}

// begin makes the tables, and what brings their rows.
func (w *world) begin(tables []string, o mapping.Options) {
	w.t.Helper()
	for _, words := range tables {
		s := worded(w.t, words)
		w.tables[s.Name.Table] = s
	}
	w.rules = rules(w.t, o)
	w.handler = mapping.NewHandler(w.rules, nil)
	var err error
	if w.resolver, err = mapping.NewResolver(w.rules, &finder{counter{last: 100_000}, w}, mapping.Limits{}); err != nil {
		w.t.Fatal(err)
	}
}

// worldRules are rules under which keys are given anew in many ways, those of users by
// the given one.
func worldRules(users mapping.KeyRule) mapping.Options {
	return mapping.Options{Tables: []string{"shop.*"}, Namespaces: true, Entities: map[string]mapping.Entity{
		"shop.users":    {Keys: users},
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
}

// apply brings changes to the target, sometimes after an attempt that is forgotten.
func (w *world) apply(changes ...rowferry.Change) {
	w.t.Helper()
	if w.stopped {
		return
	}
	if w.lag != nil && !w.lag.applying {
		w.lag.hold(changes)
		return
	}
	w.tx++
	origin := &rowferry.Origin{Tx: fmt.Sprint(w.tx)}
	w.carry(1+w.rnd.IntN(2), func(notes *book) ([]rowferry.Mutation, error) { return w.goThrough(changes, origin, notes) })
}

// carry resolves something and brings it to the target, as often as attempts says, and
// anew for each row that the target refuses.
func (w *world) carry(attempts int, resolve func(*book) ([]rowferry.Mutation, error)) {
	w.t.Helper()
	var out []rowferry.Mutation
	w.notes.refused = map[rowferry.ChangeID]*rowferry.Refusal{}
	for n := 0; n < attempts; {
		notes := w.notes.copied()
		w.resolver.Begin(false)
		got, err := resolve(notes)
		if errors.Is(err, rowferry.ErrKeysShort) {
			w.reserve(resolve)
			continue
		}
		if (w.minimal || w.lag != nil || w.crossing) && rowferry.CodeOf(err) == rowferry.CodeWaitCycle {
			w.stopped = true // by what is not known of the rows that wait, or of keys that move while one does
			return
		}
		if w.crossing && rowferry.CodeOf(err) == rowferry.CodeLeadCrosses {
			w.crossed = true
			return
		}
		if err != nil {
			w.t.Fatalf("transaction %d: %v", w.tx, err)
		}
		if at := slices.IndexFunc(got, func(m rowferry.Mutation) bool { return w.refuses != nil && w.refuses(&m) }); at >= 0 {
			m := &got[at]
			w.notes.refused[rowferry.ChangeID{Tx: m.Origin.Tx, Index: m.Index, Nth: m.Turn}] = &rowferry.Refusal{Code: rowferry.CodeRowRefused, Why: "poison"}
			clear(w.notes.given)
			n, out = 0, nil
			continue
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

// reserve is what the engine does when keys, or what is known of rows, are short.
func (w *world) reserve(resolve func(*book) ([]rowferry.Mutation, error)) {
	w.t.Helper()
	w.resolver.Begin(true)
	_, _ = resolve(w.notes.copied()) // what is wrong is met again
	if w.lag != nil && w.lag.read() {
		return
	}
	if err := w.resolver.Reserve(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) resolve(changes []rowferry.Change, origin *rowferry.Origin, notes *book) ([]rowferry.Mutation, error) {
	w.resolver.Begin(false)
	return w.goThrough(changes, origin, notes)
}

func (w *world) goThrough(changes []rowferry.Change, origin *rowferry.Origin, notes *book) (out []rowferry.Mutation, err error) {
	for i := range changes {
		if w.reach != nil {
			w.reach(&changes[i])
		}
		ms, err := w.handler.Handle(nil, &changes[i])
		if err != nil {
			return nil, err
		}
		notes.at = rowferry.ChangeID{Tx: origin.Tx, Index: i}
		for k := range ms {
			ms[k].Origin, ms[k].Index, ms[k].Nth = origin, i, k
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
	if w.lag != nil && w.notes.kept.Fetched > 0 {
		return // until the mark rows are of different moments
	}
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
