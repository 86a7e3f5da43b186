package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/record"
)

// hugeRow is the size of a row in the huge transaction, in bytes.
const hugeRow = 4096

// TestHugeTransaction replays one transaction that is many times larger than
// memory, plain and compressed, within the default memory.
func TestHugeTransaction(t *testing.T) {
	besideOthers(t)
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		for _, compress := range []bool{false, true} {
			name := "plain"
			if compress {
				name = "compressed"
			}
			t.Run(string(k)+"/"+name, func(t *testing.T) {
				besideOthers(t)
				testHuge(t, k, compress)
			})
		}
	}
}

func testHuge(t *testing.T, k testdb.Kind, compress bool) {
	size := int64(scaled(64, 2048)) << 20
	rec := record.Load(t, k, record.Options{
		Metadata: "FULL", Compress: compress, FileSize: 1 << 30,
		Fill: func(db *sql.DB) error { return fillHuge(db, int(size/hugeRow)) },
	})
	p := newPlace(t, rec.Files...)
	o := must(t, p.replay()...)
	testdb.RequireEqual(t, rec.Expected, "sqlite://"+p.target)
	// The bound is the default memory plus four times the largest row.
	const allowed = 256<<20 + 4*hugeRow
	if o.peakRSS > allowed {
		t.Errorf("peak resident size %d MiB, allowed %d MiB", o.peakRSS>>20, int64(allowed)>>20)
	}
	t.Logf("figure: one transaction of %d MiB, %d MiB of log: peak resident size %d MiB, Equal", size>>20, logSize(t, rec.Files)>>20, o.peakRSS>>20)
}

// fillHuge makes a table and fills it in one transaction, by doubling.
func fillHuge(db *sql.DB, rows int) error {
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	text := "REPEAT(SHA2(%s, 512), " + fmt.Sprint(hugeRow/128) + ")"
	statements := []string{
		"CREATE TABLE big (id INT PRIMARY KEY, pad TEXT CHARACTER SET latin1 NOT NULL)",
		"BEGIN",
		"INSERT INTO big VALUES (0, " + fmt.Sprintf(text, "'0'") + ")",
	}
	for n := 1; n < rows; n *= 2 {
		statements = append(statements, fmt.Sprintf("INSERT INTO big SELECT id + %d, %s FROM big WHERE id < %d", n, fmt.Sprintf(text, fmt.Sprintf("id + %d", n)), rows-n))
	}
	for _, q := range append(statements, "UPDATE big SET pad = REVERSE(pad) WHERE id % 64 = 0", "COMMIT") {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", strings.SplitN(q, "(", 2)[0], err)
		}
	}
	return nil
}

func logSize(t *testing.T, files []string) int64 {
	t.Helper()
	var sum int64
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Size()
	}
	return sum
}
