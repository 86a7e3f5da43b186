package load

import (
	"context"
	"fmt"
)

// Operations in the words of PostgreSQL, on tables that all engines have.

func (w *writer) insertPerson(ctx context.Context) error {
	var region int64
	if ok, err := w.pickID(ctx, &region, "region"); !ok {
		return err
	}
	return w.change(ctx, "customer insert",
		`INSERT INTO customer (region_id, email, name, born, kind, tags, codes, flags, active, credit) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		region, w.unique()+"@"+oneOf(w, latin), w.orNull(w.text(3)), w.orNull(w.date()), oneOf(w, kinds),
		w.orNull(oneOf(w, []string{"", "new", "vip,late", "new,été"})), w.orNull(oneOf(w, texts)),
		w.orNull(fmt.Sprintf("%012b", w.rng.IntN(1<<12))), w.orNull(w.one(2)), w.orNull(w.decimal(20, 10)))
}

var kinds = []string{"person", "company", "état"}

// texts are arrays of text.
var texts = []string{"{}", "{a}", `{"",NULL,"NULL"}`, `{"with space","a,b","q\"uote","back\\slash","{brace}"}`, "{{a,b},{c,d}}", "[0:1]={x,y}", "{日本語,😀}"}

// insertItemsFirst inserts the rows of an order before itself, which a deferred
// foreign key allows; some orders never come, and their items go again.
func (w *writer) insertItemsFirst(ctx context.Context) error {
	var customer, order int64
	if ok, err := w.pickID(ctx, &customer, "customer"); !ok {
		return err
	}
	if _, err := w.pick(ctx, &order, "SELECT nextval('orders_id_seq')"); err != nil {
		return err
	}
	err := w.insertItems(ctx, order)
	if err != nil {
		return err
	}
	n := int64(0)
	if !w.one(6) {
		n, err = w.try(ctx, "INSERT INTO orders (id, customer_id, placed, total) VALUES (?, ?, ?, ?)",
			order, customer, w.datetime(), w.orNull(w.decimal(10, 2)))
	}
	if err == nil && n == 0 { // or the customer has gone
		_, err = w.try(ctx, "DELETE FROM item WHERE order_id = ?", order)
	}
	w.did("order deferred", n)
	return err
}

// insertOrUpdateWord does either in one statement; words differ by case, accents
// and trailing spaces only.
func (w *writer) insertOrUpdateWord(ctx context.Context) error {
	return w.change(ctx, "word upsert",
		`INSERT INTO word (lang, word, uses, freq) VALUES (?, ?, 1, ?)
		ON CONFLICT (lang, word) DO UPDATE SET uses = word.uses + 1, freq = word.freq / 2, ver = word.ver + 1`,
		oneOf(w, []string{"de", "fr", "ja"}), oneOf(w, words)+oneOf(w, []string{"", "x", "y", "X"}), w.orNull(w.rng.Float32()))
}

// renewPlace deletes and inserts a key, in a collation that ignores case.
func (w *writer) renewPlace(ctx context.Context) error {
	name := oneOf(w, latin) + oneOf(w, []string{"", "1", "2", "é", "É"})
	if _, err := w.try(ctx, "DELETE FROM place WHERE name = ?", name); err != nil {
		return err
	}
	return w.change(ctx, "place replace", "INSERT INTO place (name, people, lat) VALUES (?, ?, ?)",
		name, w.orNull(w.rng.IntN(1<<24)), w.orNull(w.decimal(2, 6)))
}

// shiftQueueTwice makes room at the front: every key takes its neighbour's
// value, by way of values that are free, since keys are looked at row by row.
func (w *writer) shiftQueueTwice(ctx context.Context) error {
	from, to := w.queueBase(), w.queueBase()+999_990
	if _, err := w.try(ctx, "UPDATE queue SET pos = -pos - 1, ver = ver + 1 WHERE pos BETWEEN ? AND ?", from, to); err != nil {
		return err
	}
	return w.change(ctx, "queue shift", "UPDATE queue SET pos = -pos, ver = ver + 1 WHERE pos BETWEEN ? AND ?", -to-1, -from-1)
}

const assortedColumns = "bo, s1, i1, b1, f1, d1, n0, n1, c1, x1, x2, z1, da, t0, t6, dt3, dt6, tz, iv, u, j, jb, b9, vb, ia, ai, ax, rg, k, sp, pt"

const assortedPlaces = "?, ?, ?, ?, ?, ?, ?, ?, LEFT(?, 10), LEFT(?, 50), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

func (w *writer) assortedValues() []any {
	return []any{
		w.orNull(w.one(2)), w.orNull(w.rng.IntN(1<<16) - 1<<15), w.orNull(int64(int32(w.rng.Uint32()))), w.orNull(int64(w.rng.Uint64())),
		w.orNull(w.rng.Float32()), w.orNull(w.rng.NormFloat64()), w.orNull(w.decimal(40, w.rng.IntN(12))), w.orNull(w.decimal(10, 2)),
		w.orNull(oneOf(w, words)), w.orNull(w.text(4)), w.orNull(w.long()), w.orNull(w.bytes(500)), w.orNull(w.date()),
		w.orNull(w.timeOfDay()), w.orNull(w.timeOfDay()), w.orNull(w.datetime()), w.orNull(w.datetime()), w.orNull(w.datetime() + "+05:30"),
		w.orNull(w.duration()), w.orNull(w.uuid()), w.orNull(w.json()), w.orNull(w.json()), w.orNull(fmt.Sprintf("%09b", w.rng.IntN(1<<9))),
		w.orNull(fmt.Sprintf("%b", w.rng.IntN(1<<20))), w.orNull(oneOf(w, []string{"192.0.2.1", "2001:db8::/32", "::ffff:1.2.3.4", "10.0.0.0/8"})),
		w.orNull(fmt.Sprintf("{%d,NULL,%d}", w.rng.IntN(100), -w.rng.IntN(100))), w.orNull(oneOf(w, texts)),
		w.orNull(oneOf(w, []string{"empty", "[1,5)", "(,3)", "[-7,]"})), w.orNull(oneOf(w, kinds)),
		w.orNull(oneOf(w, []string{"(1,a)", `(,"b ""c"", d")`, "(-5,)"})), w.orNull(fmt.Sprintf("(%d.5,%d)", w.rng.IntN(100), -w.rng.IntN(100))),
	}
}

func (w *writer) insertAssorted(ctx context.Context) error {
	return w.change(ctx, "wide insert", "INSERT INTO wide ("+assortedColumns+") VALUES ("+assortedPlaces+")", w.assortedValues()...)
}

func (w *writer) updateAssorted(ctx context.Context) error {
	var id int64
	if ok, err := w.pickID(ctx, &id, "wide"); !ok {
		return err
	}
	return w.change(ctx, "wide update", "UPDATE wide SET ("+assortedColumns+", ver) = ROW("+assortedPlaces+", ver + 1) WHERE id = ?",
		append(w.assortedValues(), id)...)
}

func (w *writer) deleteAssorted(ctx context.Context) error {
	var id int64
	if ok, err := w.pickID(ctx, &id, "wide"); !ok {
		return err
	}
	return w.changeSome(ctx, "wide delete", "DELETE FROM wide", "wide", "id >= ? ORDER BY id LIMIT 2", id)
}

func (w *writer) timeOfDay() string {
	return fmt.Sprintf("%02d:%02d:%02d.%06d", w.rng.IntN(24), w.rng.IntN(60), w.rng.IntN(60), w.rng.IntN(1_000_000))
}

func (w *writer) uuid() string {
	b := w.fixedBytes(16)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
