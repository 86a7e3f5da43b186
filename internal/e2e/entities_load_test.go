package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// entRow is a row of the source, or one that others refer to already and that is to
// come.
type entRow struct {
	table    *entTable
	own      int64
	uid      string
	code     string
	refs     []*entRow // by the table's references; nil is NULL
	children []*entRow // that refer to it
	there    bool
	moved    bool // its key changed
	// stained rows have a key or a unique value that was another's. No row has to
	// refer to one: what waits for it could wait for itself.
	stained bool
	// early are the children that are there before it, and since which transaction.
	early map[*entRow]int
}

// entSpan is from the transaction of a child to that of its parent, which is later.
type entSpan struct {
	child    *entRow
	from, to int
}

// entWriter writes transactions in one session, of rows that refer to its own.
type entWriter struct {
	id      int
	rnd     *rand.Rand
	conn    *sql.Conn
	flavor  testdb.Flavor
	reach   int // how many transactions a parent may be late
	rows    map[string][]*entRow
	resting map[string][]*entRow // whose keys may change
	late    map[string][]*entRow
	due     map[int][]*entRow
	next    int64
	n       int // the transaction
	loose   bool
	off     bool // the session's checks
	sent    bool // what was collected
	out     []string
	batch   *entTable // whose rows are to be inserted next
	values  []string
	spans   []entSpan
	inserts int // rows with a reference
	all     int // rows
	changed map[string]int
}

func newEntWriter(ctx context.Context, db *sql.DB, id int, flavor testdb.Flavor, reach int) (*entWriter, error) {
	conn, err := db.Conn(ctx)
	return &entWriter{
		id: id, rnd: rand.New(rand.NewPCG(uint64(id), 8)), conn: conn, flavor: flavor, reach: reach, next: int64(id), rows: map[string][]*entRow{},
		resting: map[string][]*entRow{}, late: map[string][]*entRow{}, due: map[int][]*entRow{}, changed: map[string]int{},
	}, err
}

// fresh returns a number that no writer has used.
func (w *entWriter) fresh() int64 {
	w.next += 8
	return w.next
}

// transact writes one transaction of some changes, with the parents that are due.
func (w *entWriter) transact(ctx context.Context) error {
	w.n++
	for range 2 + w.rnd.IntN(5) {
		w.change()
	}
	for _, r := range w.due[w.n] {
		w.arrive(r)
	}
	delete(w.due, w.n)
	return w.commit(ctx)
}

// settle brings all that rows refer to.
func (w *entWriter) settle(ctx context.Context) error {
	for more := true; more; {
		more = false
		w.n++
		for _, t := range entTables {
			for _, r := range slices.Clone(w.late[t.name]) {
				w.arrive(r)
				more = true
			}
		}
		if err := w.commit(ctx); err != nil {
			return err
		}
	}
	return nil
}

// commit sends what was collected. The ledger says that it was.
func (w *entWriter) commit(ctx context.Context) error {
	w.flush()
	var all []string
	if w.loose != w.off {
		w.off = w.loose
		all = append(all, w.checks())
	}
	all = append(append(all, "BEGIN"), w.out...)
	all = append(all, fmt.Sprintf("INSERT INTO ledger VALUES ('%d.%d', 'ledger %[1]d.%[2]d', %[2]d, '%[1]d')", w.id, w.n), "COMMIT")
	for !w.sent {
		if err := w.send(ctx, all); err != nil {
			return err
		}
	}
	w.out, w.loose, w.sent = w.out[:0], false, false
	return nil
}

// send sends a transaction, and takes it back where the server ended it because of
// another's.
func (w *entWriter) send(ctx context.Context, all []string) error {
	for _, q := range all {
		_, err := w.conn.ExecContext(ctx, q)
		if err == nil {
			continue
		}
		if !load.Deadlocked(err) {
			return fmt.Errorf("writer %d: %.300s: %w", w.id, q, err)
		}
		w.changed["deadlocks"]++
		_, err = w.conn.ExecContext(ctx, "ROLLBACK")
		return err
	}
	w.sent = true
	return nil
}

func (w *entWriter) checks() string {
	switch {
	case w.flavor != testdb.Postgres:
		return fmt.Sprintf("SET foreign_key_checks = %d", map[bool]int{true: 0, false: 1}[w.off])
	case w.off:
		return "SET session_replication_role = replica"
	default:
		return "SET session_replication_role = DEFAULT"
	}
}

func (w *entWriter) say(format string, args ...any) {
	w.flush()
	w.out = append(w.out, fmt.Sprintf(format, args...))
}

func (w *entWriter) flush() {
	if w.batch != nil {
		w.out = append(w.out, "INSERT INTO "+w.batch.name+" VALUES "+strings.Join(w.values, ", "))
		w.batch, w.values = nil, nil
	}
}

// some returns a table, one that gets many rows more often.
func (w *entWriter) some() *entTable {
	sum := 0
	for _, t := range entTables {
		sum += t.weight
	}
	at := w.rnd.IntN(sum)
	for _, t := range entTables {
		if at -= t.weight; at < 0 {
			return t
		}
	}
	return nil
}

func (w *entWriter) change() {
	t := w.some()
	switch what := w.rnd.IntN(12); {
	case what < 4 || len(w.rows[t.name]) < 10:
		for range 1 + w.rnd.IntN(9) {
			if r := w.make(t); r != nil {
				w.insert(r)
			}
		}
	case what < 6:
		w.lead(w.any(t))
	case what < 10:
		w.chain(t)
	case what == 10 && t.unique == "code":
		w.give(t)
	default:
		w.remove(w.any(t))
	}
}

func (w *entWriter) any(t *entTable) *entRow {
	rows := w.rows[t.name]
	return rows[w.rnd.IntN(len(rows))]
}

// make returns a new row that is not there yet, nil where it has nothing to refer to.
func (w *entWriter) make(t *entTable) *entRow {
	r := &entRow{table: t, refs: make([]*entRow, len(t.refs))}
	if t.own != "" {
		r.own = w.fresh()
	}
	name := w.fresh()
	r.uid, r.code = fmt.Sprintf("%s %d", t.name, name), fmt.Sprintf("%s code %d", t.name, name)
	for i := range t.refs {
		if t.refs[i].inKey {
			r.refs[i] = w.parent(r, i)
		}
	}
	if t.own == "" && slices.ContainsFunc(r.refs[0].children, func(x *entRow) bool { return x.table == t && x.refs[1] == r.refs[1] }) {
		return nil
	}
	for i, p := range r.refs {
		if p != nil {
			w.bind(r, i, p)
		}
	}
	return r
}

// parent returns a row for a reference to lead to, now and then one that is to come.
func (w *entWriter) parent(r *entRow, i int) *entRow {
	f := &r.table.refs[i]
	p := entNamed(f.parents[w.rnd.IntN(len(f.parents))])
	rows := w.rows[p.name]
	if p.name == "country" {
		return rows[w.rnd.IntN(len(rows))]
	}
	if f.nullable && w.rnd.IntN(3) == 0 {
		return nil
	}
	for range 20 {
		if len(rows) == 0 || w.rnd.IntN(5) == 0 {
			break
		}
		if x := rows[w.rnd.IntN(len(rows))]; f.nullable || !x.stained {
			return x
		}
	}
	if late := w.late[p.name]; len(late) > 0 && w.rnd.IntN(3) > 0 {
		return late[w.rnd.IntN(len(late))]
	}
	x := w.make(p)
	if x == nil {
		return w.late[p.name][0]
	}
	w.late[p.name] = append(w.late[p.name], x)
	x.early = map[*entRow]int{}
	at := w.n + 1 + w.rnd.IntN(w.reach)
	if w.rnd.IntN(3) == 0 {
		at = w.n + 1 + w.rnd.IntN(3)
	}
	w.due[at] = append(w.due[at], x)
	return x
}

func (w *entWriter) bind(r *entRow, i int, p *entRow) {
	r.refs[i] = p
	if p != nil {
		p.children = append(p.children, r)
	}
}

// refer looks at what a row that is written now refers to.
func (w *entWriter) refer(r *entRow) {
	for i, p := range r.refs {
		if p != nil && !p.there {
			p.early[r] = w.n
			w.loose = w.loose || !r.table.refs[i].virtual
		}
	}
}

// insert writes a row.
func (w *entWriter) insert(r *entRow) {
	t := r.table
	r.there = true
	for i := range t.refs {
		if t.refs[i].inKey {
			continue
		}
		if w.rnd.IntN(20) == 0 && t.refs[i].nullable && t.refs[i].parents[0] == t.name {
			w.bind(r, i, r)
			continue
		}
		w.bind(r, i, w.parent(r, i))
	}
	w.refer(r)
	if len(t.refs) > 0 {
		w.inserts++
	}
	w.all++
	w.rows[t.name] = append(w.rows[t.name], r)
	w.resting[t.name] = append(w.resting[t.name], r)
	if w.batch != t || len(w.values) > 100 {
		w.flush()
		w.batch = t
	}
	w.values = append(w.values, r.tuple())
}

// arrive brings a row that others refer to.
func (w *entWriter) arrive(r *entRow) {
	t := r.table
	if i := slices.Index(w.late[t.name], r); i >= 0 {
		w.late[t.name] = slices.Delete(w.late[t.name], i, i+1)
	}
	for child, from := range r.early {
		w.spans = append(w.spans, entSpan{child, from, w.n})
	}
	r.early = nil
	w.insert(r)
}
