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

func (w *writer) popQueue(ctx context.Context) error {
	return w.changeSome(ctx, "queue pop", "DELETE FROM queue", "queue", "pos BETWEEN ? AND ? ORDER BY pos LIMIT 2",
		w.queueBase(), w.queueBase()+999_999)
}

// insertJournal inserts rows that are the same as others, and as each other.
func (w *writer) insertJournal(ctx context.Context) error {
	kind, txt, amount := w.rng.IntN(40), w.orNull(oneOf(w, words[:6])), w.orNull(fmt.Sprintf("%d.50", w.rng.IntN(3)))
	return w.change(ctx, "journal insert", "INSERT INTO journal (kind, txt, amount, at) VALUES (?, ?, ?, NULL), (?, ?, ?, NULL), (?, ?, ?, '2024-02-29')",
		kind, txt, amount, kind, txt, amount, kind, txt, amount)
}

// updateJournal changes one of perhaps many identical rows.
func (w *writer) updateJournal(ctx context.Context) error {
	return w.changeSome(ctx, "journal update", "UPDATE journal SET amount = CASE WHEN amount > 1000 THEN NULL ELSE COALESCE(amount, 0) + 1 END", "journal", "kind = ? LIMIT 1", w.rng.IntN(40))
}

func (w *writer) deleteJournal(ctx context.Context) error {
	return w.changeSome(ctx, "journal delete", "DELETE FROM journal", "journal", "kind = ? LIMIT 1", w.rng.IntN(40))
}

func (w *writer) insertMetric(ctx context.Context) error {
	return w.change(ctx, "metric insert", "INSERT INTO metric (k, v, b, note) VALUES (?, ?, ?, ?), (NULL, NULL, NULL, NULL)",
		w.rng.IntN(30), w.orNull([]byte{1, 0}), w.orNull(w.d.bits(w.rng.IntN(8), 3)), w.orNull(oneOf(w, words)))
}

func (w *writer) updateMetric(ctx context.Context) error {
	return w.changeSome(ctx, "metric update", "UPDATE metric SET k = k + 1, note = ?", "metric", "k = ? LIMIT 1", w.orNull(oneOf(w, words)), w.rng.IntN(30))
}

func (w *writer) deleteMetric(ctx context.Context) error {
	k := w.orNull(w.rng.IntN(30))
	if k == nil {
		return w.changeSome(ctx, "metric delete", "DELETE FROM metric", "metric", "k IS NULL LIMIT 2")
	}
	return w.changeSome(ctx, "metric delete", "DELETE FROM metric", "metric", "k = ? LIMIT 2", k)
}
