package load

import (
	"context"
	"strings"
)

// Keys and unique values that change and move.

// shelves is how many values of product.shelf there are; it is unique.
const shelves = 80

// moveShelf moves a unique value from one row to another in one transaction:
// the owner takes a spare value first.
func (w *writer) moveShelf(ctx context.Context) error {
	var from, to string
	var shelf int64
	ok, err := w.pick(ctx, &shelf, "SELECT shelf FROM product WHERE shelf >= ? ORDER BY shelf LIMIT 1", 1+w.rng.IntN(shelves))
	if !ok {
		return err
	}
	if ok, err = w.pick(ctx, &from, "SELECT sku FROM product WHERE shelf = ? FOR UPDATE", shelf); !ok {
		return err
	}
	if ok, err = w.pickProduct(ctx, &to); !ok || to == from {
		return err
	}
	spare := -1 - w.rng.IntN(1_000_000)
	if _, err := w.try(ctx, "UPDATE product SET shelf = ?, ver = ver + 1 WHERE sku = ?", spare, from); err != nil {
		return err
	}
	if _, err := w.try(ctx, "UPDATE product SET shelf = ?, ver = ver + 1 WHERE sku = ?", shelf, to); err != nil {
		return err
	}
	return w.change(ctx, "shelf moves at once", "UPDATE product SET shelf = NULL, ver = ver + 1 WHERE sku = ?", from)
}

func (w *writer) leaveShelf(ctx context.Context) error {
	return w.changeSome(ctx, "shelf left", "UPDATE product SET shelf = NULL, ver = ver + 1", "product", "shelf >= ? ORDER BY shelf LIMIT 1", 1+w.rng.IntN(shelves))
}

// takeShelf takes a value that another transaction may have left.
func (w *writer) takeShelf(ctx context.Context) error {
	var sku string
	if ok, err := w.pickProduct(ctx, &sku); !ok {
		return err
	}
	return w.change(ctx, "shelf taken", "UPDATE product SET shelf = ?, ver = ver + 1 WHERE sku = ?", 1+w.rng.IntN(shelves), sku)
}

// swapSeats passes unique holders round two or three seats, and their labels.
func (w *writer) swapSeats(ctx context.Context) error {
	a, b := 1+w.rng.IntN(60), 1+w.rng.IntN(60)
	if a == b {
		return nil
	}
	var ha, hb int64
	// Always in the same order, or writers lock each other out.
	if ok, err := w.pick(ctx, &ha, "SELECT holder FROM seat WHERE id = ? FOR UPDATE", min(a, b)); !ok {
		return err
	}
	if ok, err := w.pick(ctx, &hb, "SELECT holder FROM seat WHERE id = ? FOR UPDATE", max(a, b)); !ok {
		return err
	}
	spare := -w.id*1000 - w.rng.IntN(1000)
	for _, step := range [][2]int64{{int64(spare), int64(min(a, b))}, {ha, int64(max(a, b))}, {hb, int64(min(a, b))}} {
		if _, err := w.exec(ctx, "UPDATE seat SET holder = ?, ver = ver + 1 WHERE id = ?", step[0], step[1]); err != nil {
			return err
		}
	}
	w.did("seats swap", 1)
	return nil
}

// insertTree adds a node and, in the same transaction, children of it.
func (w *writer) insertTree(ctx context.Context) error {
	var parent int64
	if ok, err := w.pickID(ctx, &parent, "tree"); !ok {
		return err
	}
	for range 1 + w.rng.IntN(3) {
		id, ok, err := w.insert(ctx, "INSERT INTO tree (parent_id, name) VALUES (?, ?)", parent, w.orNull(w.text(2)))
		if !ok {
			return err
		}
		parent = id
		w.did("tree insert", 1)
	}
	return nil
}

// moveTree gives a node another parent, always an older one: no cycles.
func (w *writer) moveTree(ctx context.Context) error {
	var node, parent int64
	if ok, err := w.pickID(ctx, &node, "tree"); !ok {
		return err
	}
	ok, err := w.pick(ctx, &parent, "SELECT id FROM tree WHERE id < ? ORDER BY id DESC LIMIT 1", 1+w.rng.Int64N(node))
	if !ok {
		return err
	}
	return w.change(ctx, "tree move", "UPDATE tree SET parent_id = ?, ver = ver + 1 WHERE id = ?", parent, node)
}

// deleteTree deletes a node and its children in one statement, youngest first
// where the engine looks at foreign keys row by row, else in any order; it is
// refused while one of them has children.
func (w *writer) deleteTree(ctx context.Context) error {
	var node int64
	if ok, err := w.pickID(ctx, &node, "tree"); !ok || node == 1 {
		return err
	}
	return w.changeSome(ctx, "tree delete", "DELETE FROM tree", "tree", "id = ? OR parent_id = ? ORDER BY id DESC", node, node)
}

func (w *writer) insertSession(ctx context.Context) error {
	return w.change(ctx, "session insert", "INSERT INTO session (id, token, data, seen) VALUES (?, ?, ?, ?), (?, ?, ?, ?)",
		w.fixedBytes(16), w.fixedBytes(20), w.orNull(w.bytes(200)), w.orNull(w.datetime()),
		w.fixedBytes(1+w.rng.IntN(16)), w.fixedBytes(1+w.rng.IntN(64)), w.orNull(w.bytes(20)), nil)
}

func (w *writer) changeSessionKey(ctx context.Context) error {
	return w.changeSome(ctx, "session key change", "UPDATE session SET id = ?, token = ?, ver = ver + 1", "session", "id >= ? ORDER BY id LIMIT 1",
		w.fixedBytes(16), w.fixedBytes(30), w.fixedBytes(2))
}

func (w *writer) deleteSessions(ctx context.Context) error {
	return w.changeSome(ctx, "session delete", "DELETE FROM session", "session", "id >= ? ORDER BY id LIMIT 3", w.fixedBytes(2))
}

func (w *writer) changeWordKey(ctx context.Context) error {
	return w.changeSome(ctx, "word key change",
		"UPDATE word SET lang = ?, word = CONCAT(LEFT(word, 40), '!'), ver = ver + 1", "word", "lang = ? AND word >= ? ORDER BY word LIMIT 1",
		oneOf(w, []string{"de", "fr", "ja"}), oneOf(w, []string{"de", "fr", "ja"}), oneOf(w, words))
}

func (w *writer) deleteWord(ctx context.Context) error {
	return w.changeSome(ctx, "word delete", "DELETE FROM word", "word", "lang = ? AND word >= ? ORDER BY word LIMIT 2",
		oneOf(w, []string{"de", "fr", "ja"}), oneOf(w, words))
}

// changePlaceKey may change nothing but the key's case.
func (w *writer) changePlaceKey(ctx context.Context) error {
	to := oneOf(w, latin) + oneOf(w, []string{"", "1", "é", "É"})
	from := to
	if w.one(2) {
		from = oneOf(w, latin)
	} else if w.one(2) {
		to = strings.ToUpper(to)
	} else {
		to = strings.ToLower(to)
	}
	return w.change(ctx, "place key change", "UPDATE place SET name = ?, ver = ver + 1 WHERE name = ?", to, from)
}

func (w *writer) deletePlace(ctx context.Context) error {
	return w.change(ctx, "place delete", "DELETE FROM place WHERE name = ?", oneOf(w, latin))
}
