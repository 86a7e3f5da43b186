package postgres

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
)

// spent is the processor time of this process so far.
func spent() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchLogs are statements after which the log has rows of eight columns: in
// small transactions, or all in one.
var benchLogs = map[string]string{
	"oltp": `DO $$ BEGIN FOR i IN 1..20000 LOOP INSERT INTO t SELECT ROW FROM generate_series(5 * i, 5 * i + 3) g;
		UPDATE t SET a = a + 1 WHERE id = 5 * i; COMMIT; END LOOP; END $$`,
	"bulk": "INSERT INTO t SELECT ROW FROM generate_series(1, 200000) g",
}

// BenchmarkRead reads a real log over and over. µs/row is the processor's time on
// our side; the server has a processor of its own.
func BenchmarkRead(b *testing.B) {
	const row = "g, g % 1000, g, md5(g::text), repeat('w', 60), g / 100.0, now(), true"
	for _, k := range both {
		for name, script := range benchLogs {
			p := newPlace(b, k)
			p.exec("CREATE TABLE t (id bigint PRIMARY KEY, a int, b int, v varchar(100), w text, n numeric(12,2), at timestamptz, ok bool)")
			begin := p.begun(p.pipe())
			p.exec(strings.ReplaceAll(script, "ROW", row))
			b.Run(fmt.Sprintf("%s/%s", k, name), func(b *testing.B) {
				b.ReportAllocs()
				rows, cpu := 0, spent()
				for range b.N {
					rows += p.count(b, begin)
				}
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64((spent()-cpu).Microseconds())/float64(rows), "µs/row")
			})
		}
	}
}

// count reads the whole log and returns how many rows it has.
func (p *place) count(b *testing.B, begin rowferry.Start) (rows int) {
	o := p.pipe()
	o.From, o.Once = string(begin.Position), true
	r, err := Live(o).Open(b.Context(), rowferry.Start{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for {
		tx, err := r.Next(b.Context())
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			b.Fatal(err)
		}
		rows += len(tx.Changes)
	}
}
