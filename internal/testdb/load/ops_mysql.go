package load

import "context"

// Operations in the words of MySQL and MariaDB.

func (w *writer) insertCustomer(ctx context.Context) error {
	var region int64
	if ok, err := w.pickID(ctx, &region, "region"); !ok {
		return err
	}
	return w.change(ctx, "customer insert",
		`INSERT INTO customer (region_id, email, name, born, kind, tags, flags, credit) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		region, w.unique()+"@"+oneOf(w, latin), w.orNull(w.text(3)), w.orNull(w.date()),
		oneOf(w, []string{"person", "company", "état"}), w.orNull(oneOf(w, []string{"", "new", "vip,late", "new,été"})),
		w.orNull(w.rng.IntN(1<<12)), w.orNull(w.decimal(20, 10)))
}

// upsertWord inserts or, if the word is there, updates, in one statement; words
// differ by case, accents and trailing spaces only.
func (w *writer) upsertWord(ctx context.Context) error {
	return w.change(ctx, "word upsert",
		`INSERT INTO word (lang, word, uses, freq) VALUES (?, ?, 1, ?) ON DUPLICATE KEY UPDATE uses = uses + 1, freq = freq / 2, ver = ver + 1`,
		oneOf(w, []string{"de", "fr", "ja"}), oneOf(w, words)+oneOf(w, []string{"", "x", "y", "X"}), w.orNull(w.rng.Float32()))
}

// replacePlace deletes and inserts in one statement if the key is there, in a
// collation that ignores case.
func (w *writer) replacePlace(ctx context.Context) error {
	return w.change(ctx, "place replace", "REPLACE INTO place (name, people, lat) VALUES (?, ?, ?)",
		oneOf(w, latin)+oneOf(w, []string{"", "1", "2", "é", "É"}), w.orNull(w.rng.IntN(1<<24)), w.orNull(w.decimal(2, 6)))
}

// shiftQueue makes room at the front: every key takes its neighbour's value.
func (w *writer) shiftQueue(ctx context.Context) error {
	return w.change(ctx, "queue shift", "UPDATE queue SET pos = pos + 1, ver = ver + 1 WHERE pos BETWEEN ? AND ? ORDER BY pos DESC LIMIT 30",
		w.queueBase(), w.queueBase()+999_990)
}

const wideColumns = "t1, t2, s1, m1, i1, b1, f1, d1, c1, c2, x1, x2, x3, h1, dt0, ts0, y1"

func (w *writer) wideValues() []any {
	return []any{
		w.orNull(w.rng.IntN(256) - 128), w.orNull(w.rng.IntN(256)), w.orNull(w.rng.IntN(1<<16) - 1<<15),
		w.orNull(w.rng.IntN(1<<24) - 1<<23), w.orNull(w.rng.Uint32()), w.orNull(int64(w.rng.Uint64())),
		w.orNull(w.rng.Float32()), w.orNull(w.rng.NormFloat64()), w.orNull(oneOf(w, words)), w.orNull(w.fixedBytes(5)),
		w.orNull(w.text(2)), w.orNull(w.long()), w.orNull(w.bytes(500)), w.orNull(w.duration()),
		w.orNull(w.datetime()), w.orNull(w.datetime()), w.orNull(1901 + w.rng.IntN(255)),
	}
}

func (w *writer) insertWide(ctx context.Context) error {
	q := "INSERT INTO wide (" + wideColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, LEFT(?, 10), ?, LEFT(?, 50), ?, ?, ?, ?, ?, ?)"
	return w.change(ctx, "wide insert", q, w.wideValues()...)
}

func (w *writer) updateWide(ctx context.Context) error {
	var id int64
	if ok, err := w.pickID(ctx, &id, "wide"); !ok {
		return err
	}
	return w.change(ctx, "wide update", `UPDATE wide SET t1 = ?, t2 = ?, s1 = ?, m1 = ?, i1 = ?, b1 = ?, f1 = ?, d1 = ?,
		c1 = LEFT(?, 10), c2 = ?, x1 = LEFT(?, 50), x2 = ?, x3 = ?, h1 = ?, dt0 = ?, ts0 = ?, y1 = ?, ver = ver + 1 WHERE id = ?`,
		append(w.wideValues(), id)...)
}

func (w *writer) deleteWide(ctx context.Context) error {
	var id int64
	if ok, err := w.pickID(ctx, &id, "wide"); !ok {
		return err
	}
	return w.change(ctx, "wide delete", "DELETE FROM wide WHERE id >= ? ORDER BY id LIMIT 2", id)
}
