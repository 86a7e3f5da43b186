package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/rowferry/rowferry/internal/testdb"
)

// shop is the state of the simulated business.
type shop struct {
	random    *rand.Rand
	server    *testdb.Server
	conn      *sql.Conn
	customers []int64
	orders    []int64
	skus      []string
	renamed   int
}

var names = []string{
	"Ada Lovelace", "Łukasz Żółć", "Müller, Jürgen", "Søren Ærø", "Ελένη Παπαδοπούλου", "Дмитрий Иванов",
	"山田 太郎", "김민준", "محمد علي", "שרה כהן", "अनिता शर्मा", "สมชาย ใจดี", "Nguyễn Văn An", "🦊 Fox & Söhne", "O'Brien \"Q\"",
}

var cities = []string{"Zürich", "Kraków", "Αθήνα", "東京", "서울", "São Paulo", "القاهرة", "Reykjavík", "København"}

// runShop opens the shop and lets it run, rotating the log half way.
func runShop(ctx context.Context, server *testdb.Server) (err error) {
	db, err := server.Open(database)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	defer func() { err = errors.Join(err, conn.Close(), db.Close()) }()
	s := &shop{random: rand.New(rand.NewPCG(2026, 11)), server: server, conn: conn}
	if err := s.open(ctx); err != nil {
		return err
	}
	for i := range transactions {
		if i == transactions/2 {
			if err := server.Rotate(ctx); err != nil {
				return err
			}
		}
		if err := s.day(ctx, i); err != nil {
			return fmt.Errorf("transaction %d: %w", i, err)
		}
	}
	return nil
}

// do runs one statement in the shop's session.
func (s *shop) do(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r, err := s.conn.ExecContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	return r, nil
}

type statement struct {
	sql  string
	args []any
}

// transact runs statements in one transaction that ends as told.
func (s *shop) transact(ctx context.Context, end string, all ...statement) error {
	all = append(append([]statement{{sql: "BEGIN"}}, all...), statement{sql: end})
	for _, st := range all {
		if _, err := s.do(ctx, st.sql, st.args...); err != nil {
			return err
		}
	}
	return nil
}

// open makes the tables, the category tree and the first products.
func (s *shop) open(ctx context.Context) error {
	ddl, err := os.ReadFile(filepath.Join(directory, "schema.sql"))
	if err != nil {
		return err
	}
	for _, q := range statements(string(ddl)) {
		if _, err := s.do(ctx, q); err != nil {
			return err
		}
	}
	tree := []statement{
		{"INSERT INTO categories VALUES (1, NULL, 'Everything'), (2, 1, 'Books'), (3, 1, 'Küche'), (4, 2, 'Поэзия')", nil},
		{"INSERT INTO categories VALUES (5, 4, '俳句'), (6, 3, 'Café ☕'), (7, 1, 'Old stock')", nil},
	}
	if err := s.transact(ctx, "COMMIT", tree...); err != nil {
		return err
	}
	for i := range 40 {
		sku := fmt.Sprintf("SKU-%03d", i)
		_, err := s.do(ctx, "INSERT INTO products VALUES (?, ?, ?, ?, ?, ?, ?)", sku, 2+s.random.IntN(5),
			fmt.Sprintf("Item %d %s", i, cities[i%len(cities)]), s.price(), float64(s.random.IntN(5000))/1024,
			fmt.Sprintf(`{"color": "%s", "sizes": [1, 2.50, null], "héllo": {"ok": true}}`, []string{"red", "grün", "青"}[i%3]),
			[]byte{0, byte(i), 0xff, 0, 0x80})
		if err != nil {
			return err
		}
		s.skus = append(s.skus, sku)
	}
	return nil
}

func (s *shop) price() string {
	return fmt.Sprintf("%d.%02d", s.random.IntN(900), s.random.IntN(100))
}

// day is one step of business. Which one depends on the step's number, so
// that every kind certainly happens.
func (s *shop) day(ctx context.Context, i int) error {
	switch {
	case i < 30 || i%9 == 0:
		return s.register(ctx, i)
	case i%97 == 50:
		return s.renameProduct(ctx)
	case i%89 == 40:
		return s.moveCard(ctx)
	case i%211 == 100:
		return s.regret(ctx)
	case i%61 == 30:
		return s.growTree(ctx, i)
	case i%13 == 7:
		return s.cancel(ctx)
	case i%7 == 3:
		return s.repricing(ctx)
	case i%5 == 1:
		return s.pay(ctx)
	default:
		return s.order(ctx)
	}
}
