package mysql

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// replicate makes one server the replica of another.
func replicate(t testing.TB, primary, replica *testdb.Server) {
	t.Helper()
	if primary.Kind.Flavor() == testdb.MariaDB {
		must(t, replica.Exec(t.Context(), "SET GLOBAL gtid_slave_pos=''",
			fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='root', MASTER_USE_GTID=slave_pos", primary.Port), "START SLAVE"))
		return
	}
	must(t, replica.Exec(t.Context(),
		fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='root', SOURCE_AUTO_POSITION=1", primary.Port), "START REPLICA"))
}

// catchUp waits until the replica has all that the primary has.
func catchUp(t testing.TB, primary, replica *testdb.Server) {
	t.Helper()
	var pos string
	ask, wait := "SELECT @@gtid_executed", "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 60)"
	if primary.Kind.Flavor() == testdb.MariaDB {
		ask, wait = "SELECT @@gtid_binlog_pos", "SELECT MASTER_GTID_WAIT(?, 60)"
	}
	must(t, primary.DB().QueryRowContext(t.Context(), ask).Scan(&pos))
	late := -1
	must(t, replica.DB().QueryRowContext(t.Context(), wait, pos).Scan(&late))
	if late != 0 {
		t.Fatalf("the replica does not get to %s", pos)
	}
}

// TestLiveFailover goes on with a replica where it was, after any transaction,
// but not with one that is behind.
func TestLiveFailover(t *testing.T) {
	for _, k := range liveKinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			var opts []testdb.Option
			if k.Flavor() == testdb.MariaDB {
				opts = []testdb.Option{testdb.Arg("log_slave_updates=ON")}
			}
			primary := testdb.Start(t, k, testdb.Private())
			replica := testdb.Start(t, k, append(opts, testdb.Private(), testdb.Arg("server_id=2"))...)
			must(t, primary.ResetBinlog(t.Context()))
			must(t, replica.ResetBinlog(t.Context()))
			replicate(t, primary, replica)
			must(t, primary.Exec(t.Context(), "CREATE DATABASE test", markTable))
			_, db := testdb.NewDatabase(t, primary)
			_, err := load.Run(t.Context(), db, load.Options{Seed: 3, Transactions: 200, Flavor: k.Flavor()})
			must(t, err)
			mark(t, primary, "on both")
			catchUp(t, primary, replica)
			here := readFrom(Live(LiveOptions{Endpoint: endpoint(t, primary, "root"), Once: true}), rowferry.Start{})
			must(t, here.err)
			failover(t, here, Live(LiveOptions{Endpoint: endpoint(t, replica, "root"), Once: true}))

			must(t, replica.Exec(t.Context(), map[testdb.Flavor]string{testdb.MySQL: "STOP REPLICA", testdb.MariaDB: "STOP SLAVE"}[k.Flavor()]))
			mark(t, primary, "only on the primary")
			here = readFrom(Live(LiveOptions{Endpoint: endpoint(t, primary, "root"), Once: true}), rowferry.Start{})
			must(t, here.err)
			last := here.txs[len(here.txs)-1]
			_, err = Live(LiveOptions{Endpoint: endpoint(t, replica, "root")}).Open(t.Context(), rowferry.Start{Position: last.Position, Lineage: last.Lineage})
			if rowferry.CodeOf(err) != rowferry.CodeLineageBroken {
				t.Errorf("a replica that is behind: %v", err)
			}
		})
	}
}

// failover opens the replica's log after every 19th transaction of what was
// read of the primary's. A transaction that MariaDB rolled back in part or in
// whole is logged by the primary alone; it is refused to go on after such a one.
func failover(t *testing.T, here result, there rowferry.Source) {
	all := readFrom(there, rowferry.Start{})
	must(t, all.err)
	logged := map[string]string{}
	for _, tx := range all.txs {
		if tx.Last {
			logged[tx.ID] = tx.Lineage
		}
	}
	txs, went := sourcetest.Join(here.txs, nil), 0
	for i := 0; i < len(txs); i++ {
		same := logged[txs[i].ID] == txs[i].Lineage
		if same && i%19 != 0 {
			continue
		}
		got := readFrom(there, rowferry.Start{Position: txs[i].Position, Lineage: txs[i].Lineage, Tables: txs[i].Tables})
		if code := rowferry.CodeOf(got.err); !same && code != rowferry.CodeLineageBroken && code != rowferry.CodePositionOutside || same && got.err != nil {
			t.Fatalf("after %s, logged alike %v: %v", txs[i].ID, same, got.err)
		}
		if !same {
			continue
		}
		went++
		a, b := applied(sourcetest.Join(got.txs, txs[i].Tables)), applied(txs[i+1:])
		if a != b {
			t.Fatalf("after %s: %s", txs[i].ID, firstDifference(a, b))
		}
	}
	if went < 10 {
		t.Errorf("the replica was gone on with only %d times", went)
	}
}

// applied shows the rows that transactions change.
func applied(txs []sourcetest.Transaction) string {
	var b strings.Builder
	for _, tx := range txs {
		tx.Position, tx.Lineage, tx.CommitTime = "", "", time.Time{}
		tx.Changes = slices.DeleteFunc(slices.Clone(tx.Changes), func(c rowferry.Change) bool { return c.Op == rowferry.Shape })
		if len(tx.Changes) > 0 {
			b.WriteString(sourcetest.Text([]sourcetest.Transaction{tx}))
		}
	}
	return b.String()
}
