package load

import (
	"context"
	"strings"
)

// Customers, orders, items and products: three levels of foreign keys.

func (w *writer) updateCustomer(ctx context.Context) error {
	var id int64
	if ok, err := w.pickID(ctx, &id, "customer"); !ok {
		return err
	}
	switch w.rng.IntN(3) {
	case 0:
		return w.change(ctx, "customer update", "UPDATE customer SET name = ?, tags = ?, ver = ver + 1 WHERE id = ?",
			w.orNull(w.text(3)), w.orNull("late"), id)
	case 1:
		return w.change(ctx, "customer update", "UPDATE customer SET email = ?, ver = ver + 1 WHERE id = ?",
			w.unique()+"@"+oneOf(w, latin), id)
	}
	// Several rows, several values of a foreign key, in one statement.
	return w.changeSome(ctx, "customer update",
		"UPDATE customer SET region_id = 1 + (region_id % 8), credit = COALESCE(credit, 0) + 0.0000000001, ver = ver + 1",
		"customer", "id >= ? ORDER BY id LIMIT 3", id)
}

// deleteCustomer is refused while the customer has orders or a passport.
func (w *writer) deleteCustomer(ctx context.Context) error {
	var id int64
	if ok, err := w.pickID(ctx, &id, "customer"); !ok {
		return err
	}
	return w.change(ctx, "customer delete", "DELETE FROM customer WHERE id = ?", id)
}

// movePassport gives a customer a passport, or another customer's number: the
// row goes and its unique value comes back under another key.
func (w *writer) movePassport(ctx context.Context) error {
	var from, to int64
	if ok, err := w.pickID(ctx, &to, "customer"); !ok {
		return err
	}
	var number string
	ok, err := w.pick(ctx, &from, "SELECT customer_id FROM passport WHERE customer_id >= ? ORDER BY customer_id LIMIT 1 FOR UPDATE", to)
	if err != nil {
		return err
	}
	if !ok || from == to || w.one(2) {
		return w.change(ctx, "passport insert", "INSERT INTO passport (customer_id, number, until) VALUES (?, ?, ?)",
			to, "P"+w.unique(), w.orNull(w.date()))
	}
	if _, err := w.pick(ctx, &number, "SELECT number FROM passport WHERE customer_id = ?", from); err != nil {
		return err
	}
	if _, err := w.try(ctx, "DELETE FROM passport WHERE customer_id IN (?, ?)", from, to); err != nil {
		return err
	}
	return w.change(ctx, "passport moves", "INSERT INTO passport (customer_id, number) VALUES (?, ?)", to, number)
}

func (w *writer) insertOrder(ctx context.Context) error {
	var customer int64
	if ok, err := w.pickID(ctx, &customer, "customer"); !ok {
		return err
	}
	order, ok, err := w.insert(ctx, `INSERT INTO orders (customer_id, placed, paid, span, total, doc, note) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		customer, w.datetime(), w.orNull(w.datetime()), w.orNull(w.duration()), w.orNull(w.decimal(10, 2)),
		w.orNull(w.json()), w.orNull(w.long()))
	if !ok {
		return err
	}
	w.did("order insert", 1)
	return w.insertItems(ctx, order)
}

// insertItems inserts several rows in one statement.
func (w *writer) insertItems(ctx context.Context, order int64) error {
	var rows []string
	var args []any
	for line := range 1 + w.rng.IntN(5) {
		var sku string
		ok, err := w.pickProduct(ctx, &sku)
		if err != nil {
			return err
		}
		if ok {
			rows = append(rows, "(?, ?, ?, ?, ?)")
			args = append(args, order, line+1, sku, w.rng.IntN(100), w.orNull(w.rng.NormFloat64()*1e3))
		}
	}
	if rows == nil {
		return nil
	}
	return w.change(ctx, "item insert", "INSERT INTO item (order_id, line, sku, qty, weight) VALUES "+strings.Join(rows, ", "), args...)
}

func (w *writer) updateOrder(ctx context.Context) error {
	var id int64
	if ok, err := w.pickID(ctx, &id, "orders"); !ok {
		return err
	}
	if err := w.change(ctx, "order update", "UPDATE orders SET paid = ?, doc = ?, note = ?, ver = ver + 1 WHERE id = ?",
		w.orNull(w.datetime()), w.orNull(w.json()), w.orNull(w.long()), id); err != nil {
		return err
	}
	if w.one(3) {
		// The second part of a composite key moves.
		return w.changeSome(ctx, "item key change", "UPDATE item SET line = line + 10, ver = ver + 1", "item", "order_id = ? AND line < 1000 ORDER BY line DESC LIMIT 1", id)
	}
	return w.change(ctx, "item update", "UPDATE item SET qty = qty + 1, weight = weight / 3, ver = ver + 1 WHERE order_id = ?", id)
}

func (w *writer) deleteOrder(ctx context.Context) error {
	var id int64
	if ok, err := w.pickID(ctx, &id, "orders"); !ok {
		return err
	}
	if _, err := w.try(ctx, "DELETE FROM item WHERE order_id = ?", id); err != nil {
		return err
	}
	return w.change(ctx, "order delete", "DELETE FROM orders WHERE id = ?", id)
}

func (w *writer) updateRegion(ctx context.Context) error {
	return w.change(ctx, "region update", "UPDATE region SET name = ?, area = ?, ver = ver + 1 WHERE id = ?",
		w.orNull(w.text(2)), w.orNull(w.decimal(14, 4)), 1+w.rng.IntN(len(latin)))
}

// pickProduct reads a random key, or reports that there is no product.
func (w *writer) pickProduct(ctx context.Context, into *string) (bool, error) {
	from := string(rune('A'+w.rng.IntN(26))) + string(rune('A'+w.rng.IntN(26)))
	ok, err := w.pick(ctx, into, "SELECT sku FROM product WHERE sku >= ? ORDER BY sku LIMIT 1", from)
	if err != nil || ok {
		return ok, err
	}
	return w.pick(ctx, into, "SELECT sku FROM product ORDER BY sku LIMIT 1")
}

// sku makes a new key of mixed case, in a collation that ignores it.
func (w *writer) sku() string {
	letters := string(rune('A'+w.rng.IntN(26))) + string(rune('a'+w.rng.IntN(26)))
	return letters + w.unique() + oneOf(w, []string{"", "é", "ü", "ж", "日"})
}

func (w *writer) insertProduct(ctx context.Context) error {
	return w.change(ctx, "product insert",
		"INSERT INTO product (sku, title, price, stock, shelf, made, picture) VALUES (?, ?, ?, ?, ?, ?, ?)",
		w.sku(), w.orNull(w.text(4)), w.orNull(w.decimal(7, 3)), w.rng.IntN(1000)-500,
		nil, w.orNull(1901+w.rng.IntN(255)), w.orNull(w.bytes(300)))
}

func (w *writer) updateProducts(ctx context.Context) error {
	var sku string
	if ok, err := w.pickProduct(ctx, &sku); !ok {
		return err
	}
	return w.changeSome(ctx, "product update",
		"UPDATE product SET stock = stock - 1, title = ?, ver = ver + 1", "product", "sku >= ? ORDER BY sku LIMIT ?",
		w.orNull(w.text(4)), sku, 1+w.rng.IntN(6))
}

// changeProductKey changes a whole key, or its case only; it is refused while
// an item refers to it.
func (w *writer) changeProductKey(ctx context.Context) error {
	var sku string
	if ok, err := w.pickProduct(ctx, &sku); !ok {
		return err
	}
	to := w.sku()
	if w.one(2) {
		to = strings.ToUpper(sku)
		if to == sku {
			to = strings.ToLower(sku)
		}
	}
	return w.change(ctx, "product key change", "UPDATE product SET sku = ?, ver = ver + 1 WHERE sku = ?", to, sku)
}

func (w *writer) deleteProduct(ctx context.Context) error {
	var sku string
	if ok, err := w.pickProduct(ctx, &sku); !ok {
		return err
	}
	return w.change(ctx, "product delete", "DELETE FROM product WHERE sku = ?", sku)
}
