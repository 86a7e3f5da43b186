package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// settleBatch is how many subtransactions are asked about at once.
const settleBatch = 10_000

// outcomes tells which subtransactions were not committed, or not yet. Messages
// have the low half of a transaction's number; the other half is what makes it
// the nearest one below the next that will be given. pg_current_snapshot ends
// behind the last transaction that has ended; age counts on from there.
const outcomes = `SELECT sub, COALESCE(outcome, '') FROM (
	SELECT sub, pg_xact_status(((next - ((next - sub) & 4294967295))::text)::xid8) AS outcome
	FROM unnest($1::bigint[]) sub, (SELECT most::text::bigint + greatest(age(most::xid), 0) FROM pg_snapshot_xmax(pg_current_snapshot()) x (most)) n (next)) o
WHERE outcome IS DISTINCT FROM 'committed'`

// settle asks the server which subtransactions of one that was committed were
// rolled back. Their Stream Abort does not always come: PostgreSQL (15.18 at
// least) forgets that it has sent rows of a subtransaction which it had to write
// to files before, as it has where a large value was only half there when
// logical_decoding_work_mem was full, and sends none when it is rolled back
// (in reorderbuffer.c, ReorderBufferTruncateTXN looks at what is left in memory).
// Its rows would stay, as they do at a native subscription.
//
// The server knows the outcome as long as the slot keeps the rows of its catalog,
// which is until we have acknowledged the transaction.
func (r *reader) settle(ctx context.Context, a *aside) error {
	if failpoint.On("skip-settle") {
		return nil
	}
	var ask []string
	for sub, fate := range a.subs {
		if fate == kept {
			ask = append(ask, strconv.FormatUint(uint64(sub), 10))
		}
	}
	for len(ask) > 0 {
		n := min(len(ask), settleBatch)
		if err := r.outcomes(ctx, a, "{"+strings.Join(ask[:n], ",")+"}"); err != nil {
			return err
		}
		ask = ask[n:]
	}
	return nil
}

func (r *reader) outcomes(ctx context.Context, a *aside, ask string) error {
	return r.catalog.ask(ctx, func(ctx context.Context, s *session) error {
		return s.query(ctx, outcomes, func(row dialect.Row) error {
			sub, err := row.Int(0)
			if err != nil {
				return err
			}
			switch outcome := row.Text(1); outcome {
			case "aborted":
				a.subs[uint32(sub)] = untold
			case "in progress": // of a transaction whose commit is in the log, and waits for its standby
			default:
				return rowferry.Errorf(rowferry.CodeSourceUnfit, "the source does not know whether a subtransaction was rolled back").
					Fact("xid", "%d", sub).Fact("transaction", "%d", a.xid).Fact("status", "%q", outcome)
			}
			return nil
		}, ask)
	})
}
