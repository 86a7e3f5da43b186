package load

import (
	"context"
	"encoding/hex"
	"fmt"
)

// Operations on tables that only PostgreSQL has, of which it logs something else
// than a row's new values and its key.

// papers are the tables with values stored beside the row.
var papers = []string{"paper", "folio"}

// large returns text that is stored beside its row: PostgreSQL does so from
// about 2 KB on.
func (w *writer) large() string { return hex.EncodeToString(w.fixedBytes(1500 + w.rng.IntN(12_000))) }

func (w *writer) insertPaper(ctx context.Context) error {
	return w.change(ctx, "paper insert", "INSERT INTO "+oneOf(w, papers)+" (id, title, body, scan) VALUES (?, ?, ?, ?)",
		w.uuid(), w.orNull(w.text(3)), w.orNull(w.large()), w.orNull(w.fixedBytes(5000)))
}

// updateBesidePaper leaves what is stored beside the rows.
func (w *writer) updateBesidePaper(ctx context.Context) error {
	table := oneOf(w, papers)
	return w.changeSome(ctx, "paper beside", "UPDATE "+table+" SET title = ?, ver = ver + 1", table, "id >= ? ORDER BY id LIMIT 2", w.orNull(w.text(3)), w.uuid())
}

// updatePaper changes one of the values stored beside the row, and at times both.
func (w *writer) updatePaper(ctx context.Context) error {
	table, set := oneOf(w, papers), "body = ?"
	args := []any{w.orNull(w.large())}
	if w.one(2) {
		set += ", scan = ?"
		args = append(args, w.orNull(w.fixedBytes(4000)))
	}
	return w.changeSome(ctx, "paper update", "UPDATE "+table+" SET "+set+", ver = ver + 1", table, "id >= ? ORDER BY id LIMIT 1", append(args, w.uuid())...)
}

func (w *writer) changePaperKey(ctx context.Context) error {
	table := oneOf(w, papers)
	return w.changeSome(ctx, "paper key change", "UPDATE "+table+" SET id = ?, ver = ver + 1", table, "id >= ? ORDER BY id LIMIT 1", w.uuid(), w.uuid())
}

func (w *writer) deletePaper(ctx context.Context) error {
	table := oneOf(w, papers)
	return w.changeSome(ctx, "paper delete", "DELETE FROM "+table, table, "id >= ? ORDER BY id LIMIT 2", w.uuid())
}

func (w *writer) insertTag(ctx context.Context) error {
	return w.change(ctx, "tag insert", "INSERT INTO tag (name, grp, code, note) VALUES (?, ?, ?, ?)",
		w.orNull(w.unique()), w.rng.IntN(5), fmt.Sprintf("c%d", w.rng.IntN(300)), w.orNull(w.text(3)))
}

// updateTag changes the columns that identify the row every third time.
func (w *writer) updateTag(ctx context.Context) error {
	set, args := "note = ?", []any{w.orNull(w.text(3))}
	if w.one(3) {
		set, args = "grp = ?, code = ?", []any{w.rng.IntN(5), fmt.Sprintf("c%d", w.rng.IntN(300))}
	}
	args = append(args, w.rng.IntN(5), fmt.Sprintf("c%d", w.rng.IntN(300)))
	return w.changeSome(ctx, "tag update", "UPDATE tag SET "+set+", ver = ver + 1", "tag", "grp = ? AND code >= ? ORDER BY code LIMIT 1", args...)
}

func (w *writer) deleteTag(ctx context.Context) error {
	return w.changeSome(ctx, "tag delete", "DELETE FROM tag", "tag", "grp = ? ORDER BY code LIMIT 2", w.rng.IntN(5))
}

// pickAlbum reads a random key, or reports that there is none after it.
func (w *writer) pickAlbum(ctx context.Context, into *string) (bool, error) {
	return w.pick(ctx, into, "SELECT id FROM album WHERE id >= ? ORDER BY id LIMIT 1", string(rune('a'+w.rng.IntN(26))))
}

func (w *writer) albumKey() string {
	return string(rune('a'+w.rng.IntN(26))) + w.unique() + oneOf(w, []string{"", "É", "日"})
}

func (w *writer) insertAlbum(ctx context.Context) error {
	id := w.albumKey()
	if err := w.change(ctx, "album insert", "INSERT INTO album (id, title) VALUES (?, ?)", id, w.orNull(w.text(3))); err != nil {
		return err
	}
	return w.change(ctx, "photo insert", "INSERT INTO photo (album_id, n, data) SELECT ?, n, ? FROM generate_series(1, ?) n",
		id, w.orNull(w.bytes(100)), w.rng.IntN(6))
}

// renameAlbum changes a key, and after it by the foreign key's action those of
// the rows below it.
func (w *writer) renameAlbum(ctx context.Context) error {
	var id string
	if ok, err := w.pickAlbum(ctx, &id); !ok {
		return err
	}
	return w.change(ctx, "album rename", "UPDATE album SET id = ?, ver = ver + 1 WHERE id = ?", w.albumKey(), id)
}

// deleteAlbum deletes a row, and by the foreign key's action those below it.
func (w *writer) deleteAlbum(ctx context.Context) error {
	var id string
	if ok, err := w.pickAlbum(ctx, &id); !ok {
		return err
	}
	return w.change(ctx, "album delete", "DELETE FROM album WHERE id = ?", id)
}

func (w *writer) insertEvent(ctx context.Context) error {
	return w.change(ctx, "event insert", "INSERT INTO event (day, what) SELECT (? + n) % 8, ? FROM generate_series(1, 3) n", w.rng.IntN(8), w.orNull(w.text(2)))
}

// moveEvent changes keys, by which rows move to the other partition.
func (w *writer) moveEvent(ctx context.Context) error {
	var id int64
	if ok, err := w.pickID(ctx, &id, "event"); !ok {
		return err
	}
	return w.change(ctx, "event moves", "UPDATE event SET day = (day + ?) % 8, what = ?, ver = ver + 1 WHERE id BETWEEN ? AND ?",
		1+w.rng.IntN(4), w.orNull(w.text(2)), id, id+1)
}

func (w *writer) deleteEvent(ctx context.Context) error {
	var id int64
	if ok, err := w.pickID(ctx, &id, "event"); !ok {
		return err
	}
	return w.change(ctx, "event delete", "DELETE FROM event WHERE id BETWEEN ? AND ?", id, id+3)
}

// insertReadings inserts so many rows that the server sends them, where it is
// told to use little memory, before the transaction ends.
func (w *writer) insertReadings(ctx context.Context) error {
	return w.change(ctx, "reading insert",
		"INSERT INTO reading (writer, value, note) SELECT ?, n / 3.0, repeat(?, n % 7) FROM generate_series(1, ?) n",
		w.id, oneOf(w, words), 200+w.rng.IntN(1800))
}

// updateReadings changes rows of the writer's own, so that writers do not wait
// for each other.
func (w *writer) updateReadings(ctx context.Context) error {
	return w.change(ctx, "reading update", "UPDATE reading SET value = value / 3, note = ?, ver = ver + 1 WHERE writer = ? AND id % ? = 0",
		w.orNull(w.text(2)), w.id, 1+w.rng.IntN(4))
}

func (w *writer) deleteReadings(ctx context.Context) error {
	if w.one(2) {
		return w.changeSome(ctx, "reading delete", "DELETE FROM reading", "reading", "writer = ? ORDER BY id LIMIT 1500", w.id)
	}
	return w.change(ctx, "reading delete", "DELETE FROM reading WHERE writer = ?", w.id)
}
