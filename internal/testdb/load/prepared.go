package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errForgotten says that a transaction was prepared and then rolled back, so
// that it is to be done again.
var errForgotten = errors.New("load: rolled back on purpose")

// longestPrepared is how long a transaction stays prepared at most.
const longestPrepared = 30 * time.Millisecond

// prepareFirst ends a transaction in two steps, between which others commit.
// Neither is given up half done: a prepared transaction would outlive the load.
func (w *writer) prepareFirst(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var database string
	if _, err := w.pick(ctx, &database, "SELECT current_database()"); err != nil {
		return err
	}
	name := fmt.Sprintf("%s%d", preparedPrefix(database, w.id), w.next)
	if _, err := w.exec(ctx, "PREPARE TRANSACTION '"+name+"'"); err != nil {
		return err
	}
	pause(ctx, time.Duration(w.rng.Int64N(int64(longestPrepared))))
	if w.one(3) {
		w.stats.Forgotten++
		if _, err := w.exec(ctx, "ROLLBACK PREPARED '"+name+"'"); err != nil {
			return err
		}
		return errForgotten
	}
	w.stats.Prepared++
	_, err := w.exec(ctx, "COMMIT PREPARED '"+name+"'")
	return err
}

func preparedPrefix(database string, writer int) string {
	return fmt.Sprintf("load %s %d ", database, writer)
}

// settle ends what an earlier session of the writer has left prepared, as it
// should have: a lost connection does not undo it.
func (w *writer) settle(ctx context.Context) error {
	for {
		var name string
		ok, err := w.pick(ctx, &name, `SELECT gid FROM pg_prepared_xacts
			WHERE database = current_database() AND gid LIKE 'load ' || current_database() || ? LIMIT 1`, fmt.Sprintf(" %d %%", w.id))
		if !ok {
			return err
		}
		if _, err := w.exec(ctx, "COMMIT PREPARED '"+name+"'"); err != nil {
			return err
		}
	}
}
