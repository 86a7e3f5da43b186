package postgres

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// protocol returns the version of pgoutput's protocol that a server speaks.
func protocol(version int) int {
	switch {
	case version >= 160000:
		return 4
	case version >= 150000:
		return 3
	default:
		return 2
	}
}

// statement is the command that the log is asked for with. Without a place to
// put transactions aside, the server keeps those that are not committed.
func (o *opened) statement(from lsn) string {
	publication := strings.ReplaceAll(dialect.Quote(o.publication), "'", "''")
	options := fmt.Sprintf("proto_version '%d', publication_names '%s'", protocol(o.version), publication)
	if o.start.Spool != nil {
		options += ", streaming 'on'"
	}
	if o.binary {
		options += ", binary 'on'"
	}
	if o.options.Origin == OriginNone {
		options += ", origin 'none'"
	}
	if o.tokens.asked() {
		options += ", messages 'true'"
	}
	return fmt.Sprintf("START_REPLICATION SLOT %s LOGICAL %s (%s)", dialect.Quote(o.slot), from, options)
}

// follow asks for the log from the beginning on.
func (r *reader) follow(ctx context.Context) error {
	patience, err := r.patience(ctx)
	if err != nil {
		return err
	}
	endpoint := r.opened.options.Endpoint
	if err := r.opened.stream.SyncConn(ctx); err != nil {
		return translate(ctx, endpoint, err)
	}
	hijacked, err := r.opened.stream.Hijack()
	if err != nil {
		return translate(ctx, endpoint, err)
	}
	widen(hijacked.Conn)
	r.in = newFrames(hijacked.Conn)
	err = r.ask(ctx)
	if err == nil {
		err = r.holds(ctx, hijacked.PID)
	}
	if err != nil {
		_ = hijacked.Conn.Close() // nothing was begun
		return err
	}
	r.feedback = newFeedback(hijacked.Conn, patience, endpoint.Wait())
	return nil
}

// patience is how long the server waits for us; 0 is for ever.
func (r *reader) patience(ctx context.Context) (patience time.Duration, err error) {
	err = command(ctx, r.opened.options.Endpoint, r.opened.stream, "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'", func(row dialect.Row) error {
		millis, err := strconv.ParseInt(row.Text(0), 10, 64)
		patience = time.Duration(millis) * time.Millisecond
		return err
	})
	return patience, err
}

// ask sends the command and waits for the log to begin.
func (r *reader) ask(ctx context.Context) error {
	endpoint := r.opened.options.Endpoint
	if _, err := r.in.conn.Write(appendFrame(nil, 'Q', append([]byte(r.opened.statement(r.passage.asked())), 0))); err != nil {
		return translate(ctx, endpoint, err)
	}
	for {
		kind, body, err := r.in.next(ctx)
		if err != nil {
			return translate(ctx, endpoint, err)
		}
		switch kind {
		case frameCopyBoth:
			return nil
		case frameError:
			return r.streamError(ctx, parseServerError(body))
		case frameNotice:
			if err := r.notice(ctx, body); err != nil {
				return err
			}
		case frameParameter, frameNotify:
		default:
			return unexpected(kind)
		}
	}
}

// holds makes sure that the slot, which nobody else can move now, is not past the
// position: the server begins behind what it has confirmed, without a word. From
// where it is it follows what there is to pass over.
func (r *reader) holds(ctx context.Context, pid uint32) error {
	var found *slot
	err := r.catalog.ask(ctx, func(ctx context.Context, s *session) (err error) {
		found, err = s.readSlot(ctx, r.opened.slot)
		return err
	})
	switch {
	case err != nil:
		return err
	case found == nil, found.active == 0:
		return nil // the server has given up, and its reason is about to be read
	case found.active != int64(pid):
		return rowferry.Errorf(rowferry.CodeSlotTaken, "the replication slot is not the one that is read").Fact("slot", "%s", r.opened.slot)
	case found.confirmed > r.opened.begin && !failpoint.On("accept-slot-ahead"):
		return rowferry.Errorf(rowferry.CodeSlotAhead, "the replication slot was moved past the position while the source was opened").
			Fact("slot", "%s", found.name).Fact("confirmed", "%s", found.confirmed).Fact("position", "%s", r.opened.begin).
			Remedy("start over", "rowferry destroy, then run again into empty tables")
	default:
		r.passage.enter(found.confirmed)
		return nil
	}
}

// leaving is how long the server may take to let the slot go.
const leaving = 5 * time.Second

// hangUp ends the connection. It waits until the server has let the slot go,
// which is when it closes its side, so that the next reader finds it free. What
// fails here was said before, or does not matter any more.
func (r *reader) hangUp() {
	r.in.watch(context.Background())
	conn := r.in.conn
	if err := r.feedback.close(); err == nil {
		if err := conn.SetReadDeadline(time.Now().Add(min(leaving, r.opened.options.Endpoint.Wait()))); err == nil {
			_, err := io.Copy(io.Discard, conn)
			r.opened.options.Log.Debug("the source let the slot go", "error", err)
		}
	}
	_ = conn.Close()
}
