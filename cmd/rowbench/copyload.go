package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// copyTable is one of the tables that are copied.
type copyTable struct {
	name, columns string
	rows          int // before it is scaled
	// row appends the n-th row of a part, from 0. Parents have the rows that
	// their children name.
	row func(w *copyWriter, sql []byte, n int64) []byte
	// number and text are a column that is summed up, and one of which digests
	// are, to compare tables whose types are not the same.
	number, text string
	index        string // a column
}

// copyTables are about 2 GB with their indexes: parents before children, one
// table that is half of all, keys of numbers, texts and two columns, unique keys
// and foreign keys.
func copyTables() []copyTable {
	return []copyTable{
		{"customers", "email VARCHAR(120) NOT NULL UNIQUE, name VARCHAR(120) NOT NULL, country CHAR(2) NOT NULL, balance DECIMAL(12,2) NOT NULL, born DATE NULL, made DATETIME(3) NOT NULL, notes TEXT NULL",
			300_000, (*copyWriter).customer, "balance", "name", "country"},
		{"addresses", "customer_id BIGINT NOT NULL, kind TINYINT NOT NULL, street VARCHAR(160) NOT NULL, city VARCHAR(80) NOT NULL, latitude DOUBLE NOT NULL, changed DATETIME NOT NULL" + copyForeign("addresses", "customer_id", "customers"),
			400_000, (*copyWriter).address, "kind", "street", "city"},
		{"products", "sku VARCHAR(40) NOT NULL UNIQUE, title VARCHAR(200) NOT NULL, price DECIMAL(10,2) NOT NULL, weight DOUBLE NOT NULL, image VARBINARY(64) NOT NULL, description TEXT NOT NULL",
			100_000, (*copyWriter).product, "price", "description", "price"},
		{"orders", "customer_id BIGINT NOT NULL, number BIGINT NOT NULL UNIQUE, state VARCHAR(20) NOT NULL, total DECIMAL(12,2) NOT NULL, made DATETIME(6) NOT NULL, remark VARCHAR(200) NOT NULL" + copyForeign("orders", "customer_id", "customers"),
			800_000, (*copyWriter).order, "total", "remark", "made"},
		{"items", "order_id BIGINT NOT NULL, line SMALLINT NOT NULL, product_id BIGINT NOT NULL, pieces INT UNSIGNED NOT NULL, price DECIMAL(10,2) NOT NULL, label VARCHAR(160) NOT NULL, PRIMARY KEY (order_id, line)" +
			copyForeign("items", "order_id", "orders") + copyForeign("items", "product_id", "products"),
			1_600_000, (*copyWriter).item, "pieces", "label", "price"},
		{"payments", "order_id BIGINT NOT NULL, reference VARCHAR(64) NOT NULL UNIQUE, amount DECIMAL(12,2) NOT NULL, paid DATETIME(3) NULL, proof VARBINARY(64) NOT NULL" + copyForeign("payments", "order_id", "orders"),
			800_000, (*copyWriter).payment, "amount", "reference", "paid"},
		{"events", "account INT UNSIGNED NOT NULL, kind SMALLINT NOT NULL, value DOUBLE NOT NULL, day DATE NOT NULL, happened DATETIME(6) NOT NULL, source VARCHAR(80) NULL, hash VARBINARY(64) NOT NULL, body TEXT NOT NULL",
			1_500_000, (*copyWriter).event, "account", "body", "account"},
		{"sessions", "token VARCHAR(64) NOT NULL PRIMARY KEY, customer_id BIGINT NOT NULL, began DATETIME NOT NULL, agent VARCHAR(200) NOT NULL",
			300_000, (*copyWriter).session, "customer_id", "agent", "began"},
		{"preferences", "customer_id BIGINT NOT NULL, name VARCHAR(40) NOT NULL, value VARCHAR(200) NOT NULL, PRIMARY KEY (customer_id, name)" + copyForeign("preferences", "customer_id", "customers"),
			300_000, (*copyWriter).preference, "customer_id", "value", "name"},
	}
}

// copyForeign is a foreign key.
func copyForeign(table, column, parent string) string {
	return fmt.Sprintf(", CONSTRAINT %s_%s FOREIGN KEY (%s) REFERENCES %s (id)", table, column, column, parent)
}

func (t *copyTable) create() string {
	columns := t.columns
	if !strings.Contains(columns, "PRIMARY KEY") {
		columns = "id BIGINT NOT NULL PRIMARY KEY, " + columns
	}
	return "CREATE TABLE " + t.name + " (" + columns + ")"
}

// copies is what is there to be copied; nothing is written meanwhile. A value of
// bytes is its digits in hexadecimal after what the flavor begins it with.
func copies(bytes string) *workload {
	w := &workload{name: "copy", guess: 1}
	for _, t := range copyTables() {
		w.tables = append(w.tables, t.create())
		w.indexes = append(w.indexes, index{t.name, t.index})
	}
	w.writer = func(random *rand.Rand, part, parts int, scale float64) writer {
		c := &copyWriter{share: share{random, int64(part), int64(parts)}, bytes: bytes, counts: map[string]int64{}}
		for _, t := range copyTables() {
			c.counts[t.name] = c.rows(t.rows, scale)
		}
		c.counts["items"] = 2 * c.counts["orders"] // whatever is rounded
		return c
	}
	return w
}

// mysqlCopies are those for MySQL and MariaDB.
func mysqlCopies() *workload {
	w := copies("x'")
	for _, i := range w.indexes {
		w.tables = append(w.tables, fmt.Sprintf("ALTER TABLE %s ADD INDEX (%s)", i.table, i.columns))
	}
	return w
}

// copyForeignIndexes are what MySQL and MariaDB make by themselves for a foreign
// key, and Rowferry in PostgreSQL.
var copyForeignIndexes = []index{{"addresses", "customer_id"}, {"orders", "customer_id"}, {"items", "product_id"}, {"payments", "order_id"}}

// postgresCopies are the same for PostgreSQL.
func postgresCopies() *workload {
	w := copies(`'\x`)
	for i, t := range w.tables {
		w.tables[i] = postgresTypes.Replace(t)
	}
	for _, i := range append(copyForeignIndexes, w.indexes...) {
		w.tables = append(w.tables, fmt.Sprintf("CREATE INDEX ON %s (%s)", i.table, i.columns))
	}
	return w
}

type copyWriter struct {
	share
	bytes  string
	counts map[string]int64 // rows of this part
}

// seed fills the tables, parents first.
func (w *copyWriter) seed(emit func(string, int) error) error {
	for _, t := range copyTables() {
		err := seedRows(t.name, w.counts[t.name], emit, func(sql []byte, n int64) []byte {
			return append(t.row(w, append(sql, '('), n), ')')
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// next is never asked for rows that count.
func (w *copyWriter) next(sql []byte) ([]byte, int) { return sql, 1 }

// any is the key of any of this part's rows of a table.
func (w *copyWriter) any(table string) int64 { return w.key(w.random.Int64N(w.counts[table])) }

// quoted appends a text of least to most letters.
func (w *copyWriter) quoted(sql []byte, least, most int) []byte {
	return append(w.text(append(sql, '\''), least+w.random.IntN(most-least+1)), '\'')
}

// digest appends 64 bytes.
func (w *copyWriter) digest(sql []byte) []byte {
	sql = append(sql, w.bytes...)
	for range 4 {
		sql = fmt.Appendf(sql, "%016x%016x", w.random.Uint64(), w.random.Uint64())
	}
	return append(sql, '\'')
}

// moment appends a date and time to the second, unquoted.
func (w *copyWriter) moment(sql []byte) []byte {
	r := w.random
	return fmt.Appendf(sql, "20%02d-%02d-%02d %02d:%02d:%02d", 10+r.IntN(16), 1+r.IntN(12), 1+r.IntN(28), 3+r.IntN(21), r.IntN(60), r.IntN(60))
}

func (w *copyWriter) customer(sql []byte, n int64) []byte {
	r := w.random
	sql = w.quoted(fmt.Appendf(sql, "%d,'user%d@example.org',", w.key(n), w.key(n)), 20, 60)
	sql = fmt.Appendf(sql, ",'%c%c',%d.%02d,", 'A'+r.IntN(26), 'A'+r.IntN(26), r.IntN(1e6)-1e5, r.IntN(100))
	if r.IntN(5) == 0 {
		sql = append(sql, "NULL,'"...)
	} else {
		sql = fmt.Appendf(sql, "'19%02d-%02d-%02d','", 40+r.IntN(60), 1+r.IntN(12), 1+r.IntN(28))
	}
	sql = fmt.Appendf(w.moment(sql), ".%03d',", r.IntN(1000))
	if r.IntN(3) == 0 {
		return append(sql, "NULL"...)
	}
	return w.quoted(sql, 50, 250)
}

func (w *copyWriter) address(sql []byte, n int64) []byte {
	sql = w.quoted(fmt.Appendf(sql, "%d,%d,%d,", w.key(n), w.any("customers"), w.random.IntN(4)), 40, 120)
	sql = w.quoted(append(sql, ','), 10, 40)
	return append(w.moment(fmt.Appendf(sql, ",%g,'", w.random.Float64()*180-90)), '\'')
}

func (w *copyWriter) product(sql []byte, n int64) []byte {
	sql = w.quoted(fmt.Appendf(sql, "%d,'SKU-%012d',", w.key(n), w.key(n)*7919), 40, 120)
	sql = w.digest(fmt.Appendf(sql, ",%d.%02d,%g,", w.random.IntN(1e5), w.random.IntN(100), w.random.Float64()*50))
	return w.quoted(append(sql, ','), 300, 700)
}

func (w *copyWriter) order(sql []byte, n int64) []byte {
	r := w.random
	sql = w.quoted(fmt.Appendf(sql, "%d,%d,%d,", w.key(n), w.any("customers"), w.key(n)*1_000_003%10_000_000_019), 4, 12)
	sql = w.moment(fmt.Appendf(sql, ",%d.%02d,'", r.IntN(1e5), r.IntN(100)))
	return w.quoted(fmt.Appendf(sql, ".%06d',", r.IntN(1e6)), 60, 180)
}

func (w *copyWriter) item(sql []byte, n int64) []byte {
	r := w.random
	sql = fmt.Appendf(sql, "%d,%d,%d,%d,%d.%02d,", w.key(n/2), n%2, w.any("products"), 1+r.IntN(9), r.IntN(1e4), r.IntN(100))
	return w.quoted(sql, 60, 150)
}

func (w *copyWriter) payment(sql []byte, n int64) []byte {
	r := w.random
	sql = fmt.Appendf(sql, "%d,%d,'%016x%012d',%d.%02d,", w.key(n), w.key(n), r.Uint64(), w.key(n), r.IntN(1e5), r.IntN(100))
	if r.IntN(4) == 0 {
		sql = append(sql, "NULL,"...)
	} else {
		sql = fmt.Appendf(w.moment(append(sql, '\'')), ".%03d',", r.IntN(1000))
	}
	return w.digest(sql)
}

func (w *copyWriter) event(sql []byte, n int64) []byte {
	r := w.random
	sql = fmt.Appendf(sql, "%d,%d,%d,%g,'20%02d-%02d-%02d','", w.key(n), r.Uint32(), r.IntN(30000)-15000, r.NormFloat64(), 10+r.IntN(16), 1+r.IntN(12), 1+r.IntN(28))
	sql = fmt.Appendf(w.moment(sql), ".%06d',", r.IntN(1e6))
	if r.IntN(4) == 0 {
		sql = append(sql, "NULL"...)
	} else {
		sql = w.quoted(sql, 20, 60)
	}
	return w.quoted(append(w.digest(append(sql, ',')), ','), 300, 700)
}

func (w *copyWriter) session(sql []byte, n int64) []byte {
	r := w.random
	sql = fmt.Appendf(sql, "'%016x%016x%012d',%d,'", r.Uint64(), r.Uint64(), w.key(n), w.any("customers"))
	return w.quoted(append(w.moment(sql), "',"...), 80, 180)
}

func (w *copyWriter) preference(sql []byte, n int64) []byte {
	sql = w.quoted(fmt.Appendf(sql, "%d,", w.key(n)), 10, 30)
	return w.quoted(append(sql, ','), 60, 180)
}
