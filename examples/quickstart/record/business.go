package main

import (
	"context"
	"fmt"
)

func (s *shop) customer() int64 { return s.customers[s.random.IntN(len(s.customers))] }
func (s *shop) sku() string     { return s.skus[s.random.IntN(len(s.skus))] }

// register adds a customer and one or two addresses.
func (s *shop) register(ctx context.Context, i int) error {
	if _, err := s.do(ctx, "BEGIN"); err != nil {
		return err
	}
	var card, born any
	if i%3 == 0 {
		card = fmt.Sprintf("C%09d", i)
	}
	if i%4 != 0 {
		born = fmt.Sprintf("%04d-%02d-%02d", 1930+s.random.IntN(80), 1+s.random.IntN(12), 1+s.random.IntN(28))
	}
	r, err := s.do(ctx, "INSERT INTO customers (email, full_name, loyalty_card, born, preferences) VALUES (?, ?, ?, ?, ?)",
		fmt.Sprintf("c%d@example.com", i), names[i%len(names)], card, born, fmt.Sprintf(`{"news": %t, "lang": "%s"}`, i%2 == 0, cities[i%len(cities)]))
	if err != nil {
		return err
	}
	id, err := r.LastInsertId()
	if err != nil {
		return err
	}
	s.customers = append(s.customers, id)
	_, err = s.do(ctx, "INSERT INTO addresses VALUES (?, 'billing', ?, ?, 'DE'), (?, 'shipping', ?, ?, 'JP')",
		id, fmt.Sprintf("Straße %d", i), cities[i%len(cities)], id, fmt.Sprintf("%d丁目", i), cities[(i+3)%len(cities)])
	if err != nil {
		return err
	}
	_, err = s.do(ctx, "COMMIT")
	return err
}

// order places an order of one to four lines and then sets its total.
func (s *shop) order(ctx context.Context) error {
	if _, err := s.do(ctx, "BEGIN"); err != nil {
		return err
	}
	r, err := s.do(ctx, "INSERT INTO orders (customer_id, placed_at, note) VALUES (?, ?, ?)", s.customer(),
		fmt.Sprintf("2026-%02d-%02d %02d:%02d:%02d.%06d", 1+s.random.IntN(12), 1+s.random.IntN(28), s.random.IntN(24), s.random.IntN(60), s.random.IntN(60), s.random.IntN(1_000_000)),
		[]any{nil, "", "bitte klingeln ☎", "línea 1\nlínea 2"}[s.random.IntN(4)])
	if err != nil {
		return err
	}
	id, err := r.LastInsertId()
	if err != nil {
		return err
	}
	for line := range 1 + s.random.IntN(4) {
		if _, err := s.do(ctx, "INSERT INTO order_items VALUES (?, ?, ?, ?, ?)", id, line+1, s.sku(), 1+s.random.IntN(9), s.price()); err != nil {
			return err
		}
	}
	if _, err := s.do(ctx, "UPDATE orders SET total = (SELECT SUM(quantity * price) FROM order_items WHERE order_id = ?) WHERE id = ?", id, id); err != nil {
		return err
	}
	s.orders = append(s.orders, id)
	_, err = s.do(ctx, "COMMIT")
	return err
}

// pay takes the payment of an open order.
func (s *shop) pay(ctx context.Context) error {
	id := s.orders[s.random.IntN(len(s.orders))]
	key := make([]byte, 16) // ends in zeros, which BINARY pads and binlogs drop
	for i := range 12 {
		key[i] = byte(s.random.IntN(256))
	}
	return s.transact(ctx, "COMMIT",
		statement{"INSERT INTO payments SELECT ?, id, total, '2026-11-18', '-00:00:01.250' FROM orders WHERE id = ?", []any{key, id}},
		statement{"UPDATE orders SET status = 'paid' WHERE id = ?", []any{id}})
}

// cancel deletes an order with everything that hangs on it, children first.
func (s *shop) cancel(ctx context.Context) error {
	k := s.random.IntN(len(s.orders))
	id := s.orders[k]
	s.orders = append(s.orders[:k], s.orders[k+1:]...)
	return s.transact(ctx, "COMMIT",
		statement{"DELETE FROM payments WHERE order_id = ?", []any{id}},
		statement{"DELETE FROM order_items WHERE order_id = ?", []any{id}},
		statement{"DELETE FROM orders WHERE id = ?", []any{id}})
}

// repricing updates several rows in one statement.
func (s *shop) repricing(ctx context.Context) error {
	return s.transact(ctx, "COMMIT",
		statement{"UPDATE products SET price = price + 0.01, weight_kg = weight_kg * 1.0001 WHERE category_id = ? ORDER BY sku LIMIT 3", []any{2 + s.random.IntN(5)}},
		statement{"UPDATE orders SET status = 'shipped' WHERE status = 'paid' LIMIT 3", nil})
}

// renameProduct changes a primary key.
func (s *shop) renameProduct(ctx context.Context) error {
	k := s.random.IntN(len(s.skus))
	s.renamed++
	to := fmt.Sprintf("SKU-R%d", s.renamed)
	err := s.transact(ctx, "COMMIT", statement{"UPDATE products SET sku = ? WHERE sku = ?", []any{to, s.skus[k]}})
	s.skus[k] = to
	return err
}

// moveCard hands a loyalty card, which is unique, from one customer to
// another and back to a third within one transaction.
func (s *shop) moveCard(ctx context.Context) error {
	card := fmt.Sprintf("M%09d", s.random.IntN(1_000_000_000))
	a, b, c := s.customers[0], s.customers[1], s.customers[2]
	give := func(id int64, card any) statement {
		return statement{"UPDATE customers SET loyalty_card = ? WHERE id = ?", []any{card, id}}
	}
	return s.transact(ctx, "COMMIT",
		give(a, nil), give(b, nil), give(c, nil), give(a, card), give(a, nil), give(b, card), give(b, nil), give(c, card))
}

// regret is a transaction that is rolled back and logged all the same, because
// it used a temporary table: its rows must not arrive.
func (s *shop) regret(ctx context.Context) error {
	return s.transact(ctx, "ROLLBACK",
		statement{"UPDATE customers SET full_name = 'ROLLED BACK' WHERE id = ?", []any{s.customer()}},
		statement{"CREATE TEMPORARY TABLE basket (sku VARCHAR(24)) ENGINE=MyISAM", nil},
		statement{"INSERT INTO basket VALUES ('SKU-000')", nil},
		statement{"INSERT INTO categories VALUES (32000, 1, 'ROLLED BACK')", nil},
		statement{"DROP TEMPORARY TABLE basket", nil})
}

// growTree adds a leaf, moves it below another parent and removes an old one.
func (s *shop) growTree(ctx context.Context, i int) error {
	return s.transact(ctx, "COMMIT",
		statement{"INSERT INTO categories VALUES (?, 7, ?)", []any{100 + i, fmt.Sprintf("Leaf %d 🌿", i)}},
		statement{"UPDATE categories SET parent_id = ? WHERE id = ?", []any{1 + s.random.IntN(6), 100 + i}},
		statement{"DELETE FROM categories WHERE id = ?", []any{100 + i - 122}})
}
