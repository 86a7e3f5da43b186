package main

import (
	"fmt"
	"math/rand/v2"
)

// The size of fk, before it is scaled.
const (
	fkOrders = 50_000
	fkItems  = 3 // of an order
)

// fk makes and changes orders with their items and payments, and deletes them
// again, children first, under real foreign keys: a new order with three items
// and a payment; an order, an item and a payment that change; an old order with
// all that is its.
func fk() *workload {
	return &workload{
		name: "fk", guess: 30_000,
		tables: []string{
			"CREATE TABLE orders (id BIGINT NOT NULL PRIMARY KEY, customer INT NOT NULL, state VARCHAR(20) NOT NULL, total DECIMAL(12,2) NOT NULL, made DATETIME(3) NOT NULL, KEY customer (customer))",
			"CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY, order_id BIGINT NOT NULL, sku VARCHAR(40) NOT NULL, pieces INT NOT NULL, price DECIMAL(10,2) NOT NULL, KEY order_id (order_id), CONSTRAINT items_order FOREIGN KEY (order_id) REFERENCES orders (id))",
			"CREATE TABLE payments (id BIGINT NOT NULL PRIMARY KEY, order_id BIGINT NOT NULL, amount DECIMAL(12,2) NOT NULL, paid DATETIME(3) NULL, KEY order_id (order_id), CONSTRAINT payments_order FOREIGN KEY (order_id) REFERENCES orders (id))",
		},
		indexes: []index{{"orders", "customer"}, {"items", "order_id"}, {"payments", "order_id"}},
		writer: func(random *rand.Rand, part, parts int, scale float64) writer {
			f := &fkWriter{share: share{random, int64(part), int64(parts)}}
			f.first = f.rows(fkOrders, scale)
			return f
		},
	}
}

// fkWriter has orders by number: those from gone to made are there. An order's
// payment has its number, its items three from three times that.
type fkWriter struct {
	share
	first, made, gone int64
}

// order and item are keys; a payment has its order's.
func (f *fkWriter) order(n int64) int64   { return f.key(n) }
func (f *fkWriter) item(n, i int64) int64 { return f.key(n*fkItems + i) }

func (f *fkWriter) seed(emit func(string, int) error) error {
	err := seedRows("orders", f.first, emit, f.orderRow)
	if err != nil {
		return err
	}
	if err := seedRows("items", f.first*fkItems, emit, func(sql []byte, n int64) []byte { return f.itemRow(sql, n/fkItems, n%fkItems) }); err != nil {
		return err
	}
	f.made = f.first
	return seedRows("payments", f.first, emit, f.paymentRow)
}

func (f *fkWriter) orderRow(sql []byte, n int64) []byte {
	r := f.random
	return fmt.Appendf(sql, "(%d,%d,'new',%d.%02d,'2026-%02d-%02d %02d:%02d:%02d.%03d')", f.order(n), r.IntN(10_000), r.IntN(1e5), r.IntN(100),
		1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000))
}

func (f *fkWriter) itemRow(sql []byte, n, i int64) []byte {
	sql = f.text(fmt.Appendf(sql, "(%d,%d,'", f.item(n, i), f.order(n)), 12)
	return fmt.Appendf(sql, "',%d,%d.%02d)", 1+f.random.IntN(9), f.random.IntN(1e4), f.random.IntN(100))
}

func (f *fkWriter) paymentRow(sql []byte, n int64) []byte {
	return fmt.Appendf(sql, "(%d,%d,%d.%02d,NULL)", f.order(n), f.order(n), f.random.IntN(1e5), f.random.IntN(100))
}

// next inserts as often as it deletes, so that the tables keep their size.
func (f *fkWriter) next(sql []byte) ([]byte, int) {
	sql = append(sql, "BEGIN;"...)
	var rows int
	switch dice := f.random.IntN(4); {
	case dice == 0 || f.made-f.gone < 2:
		sql, rows = f.insert(sql)
	case dice == 1:
		sql, rows = f.remove(sql)
	default:
		sql, rows = f.update(sql)
	}
	return append(sql, "COMMIT;"...), rows
}

func (f *fkWriter) insert(sql []byte) ([]byte, int) {
	n := f.made
	f.made++
	sql = append(f.orderRow(append(sql, "INSERT INTO orders VALUES "...), n), ";INSERT INTO items VALUES "...)
	for i := range int64(fkItems) {
		if i > 0 {
			sql = append(sql, ',')
		}
		sql = f.itemRow(sql, n, i)
	}
	return append(f.paymentRow(append(sql, ";INSERT INTO payments VALUES "...), n), ';'), 2 + fkItems
}

func (f *fkWriter) update(sql []byte) ([]byte, int) {
	r := f.random
	n := f.gone + r.Int64N(f.made-f.gone)
	sql = fmt.Appendf(sql, "UPDATE orders SET total=total+%d.%02d,state='", 1+r.IntN(100), r.IntN(100))
	sql = fmt.Appendf(f.text(sql, 8), "' WHERE id=%d;UPDATE items SET pieces=pieces+1 WHERE id=%d;", f.order(n), f.item(n, r.Int64N(fkItems)))
	return fmt.Appendf(sql, "UPDATE payments SET amount=amount+1,paid='2026-%02d-%02d %02d:%02d:%02d' WHERE id=%d;",
		1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), f.order(n)), 3
}

func (f *fkWriter) remove(sql []byte) ([]byte, int) {
	id := f.order(f.gone)
	f.gone++
	return fmt.Appendf(sql, "DELETE FROM items WHERE order_id=%d;DELETE FROM payments WHERE id=%d;DELETE FROM orders WHERE id=%d;", id, id, id), 2 + fkItems
}
