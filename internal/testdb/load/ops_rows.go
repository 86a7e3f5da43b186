package load

import (
	"context"
	"fmt"
)

// Rows whose keys shift, rows of many types, rows without a key.

// queueBase is where the writer's own part of the queue begins: shifting it
// changes every key of it, so writers do not share one.
func (w *writer) queueBase() int { return w.id * 1_000_000 }

func (w *writer) pushQueue(ctx context.Context) error {
	return w.change(ctx, "queue push", `INSERT INTO queue (pos, what)
		SELECT COALESCE(MAX(pos), ?) + 1, ? FROM queue WHERE pos BETWEEN ? AND ?`,
		w.queueBase(), w.orNull(w.text(3)), w.queueBase(), w.queueBase()+999_999)
}

// shiftQueue makes room at the front: every key takes its neighbour's value.
func (w *writer) shiftQueue(ctx context.Context) error {
	return w.change(ctx, "queue shift", "UPDATE queue SET pos = pos + 1, ver = ver + 1 WHERE pos BETWEEN ? AND ? ORDER BY pos DESC LIMIT 30",
		w.queueBase(), w.queueBase()+999_990)
}

func (w *writer) popQueue(ctx context.Context) error {
	return w.change(ctx, "queue pop", "DELETE FROM queue WHERE pos BETWEEN ? AND ? ORDER BY pos LIMIT 2",
		w.queueBase(), w.queueBase()+999_999)
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

// insertJournal inserts rows that are the same as others, and as each other.
func (w *writer) insertJournal(ctx context.Context) error {
	kind, txt, amount := w.rng.IntN(40), w.orNull(oneOf(w, words[:6])), w.orNull(fmt.Sprintf("%d.50", w.rng.IntN(3)))
	return w.change(ctx, "journal insert", "INSERT INTO journal (kind, txt, amount, at) VALUES (?, ?, ?, NULL), (?, ?, ?, NULL), (?, ?, ?, '2024-02-29')",
		kind, txt, amount, kind, txt, amount, kind, txt, amount)
}

// updateJournal changes one of perhaps many identical rows.
func (w *writer) updateJournal(ctx context.Context) error {
	return w.change(ctx, "journal update", "UPDATE journal SET amount = IF(amount > 1000, NULL, COALESCE(amount, 0) + 1) WHERE kind = ? LIMIT 1", w.rng.IntN(40))
}

func (w *writer) deleteJournal(ctx context.Context) error {
	return w.change(ctx, "journal delete", "DELETE FROM journal WHERE kind = ? LIMIT 1", w.rng.IntN(40))
}

func (w *writer) insertMetric(ctx context.Context) error {
	return w.change(ctx, "metric insert", "INSERT INTO metric (k, v, b, note) VALUES (?, ?, ?, ?), (NULL, NULL, NULL, NULL)",
		w.rng.IntN(30), w.orNull([]byte{1, 0}), w.orNull(w.rng.IntN(8)), w.orNull(oneOf(w, words)))
}

func (w *writer) updateMetric(ctx context.Context) error {
	return w.change(ctx, "metric update", "UPDATE metric SET k = k + 1, note = ? WHERE k = ? LIMIT 1", w.orNull(oneOf(w, words)), w.rng.IntN(30))
}

func (w *writer) deleteMetric(ctx context.Context) error {
	return w.change(ctx, "metric delete", "DELETE FROM metric WHERE k <=> ? LIMIT 2", w.orNull(w.rng.IntN(30)))
}
