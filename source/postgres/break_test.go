package postgres

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// What happens to the connection, the slot or the publication under a reader is
// said by its code, and is never the end of the log.
func TestBreaks(t *testing.T) {
	insert := func(p *place) { p.run("INSERT INTO t VALUES (2)") }
	for name, b := range map[string]struct {
		do   func(*place)
		says []rowferry.Code
	}{
		"terminated": {func(p *place) {
			p.exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" + NameOf(p.name) + "'")
		}, []rowferry.Code{rowferry.CodeSourceAway}},
		"killed":  {func(p *place) { _ = p.server.Kill() }, []rowferry.Code{rowferry.CodeSourceAway}},
		"stopped": {func(p *place) { _ = p.server.Stop() }, []rowferry.Code{rowferry.CodeSourceAway}},
		"frozen":  {func(p *place) { _ = p.server.Freeze() }, []rowferry.Code{rowferry.CodeSourceAway}},
		"no publication": {func(p *place) {
			p.exec("DROP PUBLICATION " + NameOf(p.name))
			insert(p)
		}, []rowferry.Code{rowferry.CodePublication}},
	} {
		eachServer(t, func(t *testing.T, k testdb.Kind) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t, k, testdb.Private())
				p.run("CREATE TABLE t (id int PRIMARY KEY)")
				p.begun(p.pipe())
				r := p.following(rowferry.Start{}, func(o *Options) { o.Endpoint.Timeout = 3 * time.Second })
				p.run("INSERT INTO t VALUES (1)")
				take(t, r, 1)
				b.do(p)
				var err error
				for err == nil {
					_, err = r.Next(t.Context())
				}
				if code := rowferry.CodeOf(err); code != b.says[0] || errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the reader says %v, want %s", err, b.says[0])
				}
				if name == "frozen" {
					if err := p.server.Thaw(); err != nil {
						t.Error(err)
					}
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A slot that was made to tell prepared transactions early is refused when it
// does.
func TestPreparedEarly(t *testing.T) {
	r := &reader{opened: opened{slot: "s", tokens: &tokens{}}, asides: asides{all: map[uint32]*aside{}}}
	for _, kind := range []byte{msgBeginPrepare, msgPrepare, msgCommitPrepared, msgRollbackPrepared, msgStreamPrepare} {
		if _, err := r.message(t.Context(), []byte{kind}); rowferry.CodeOf(err) != rowferry.CodeSourceUnfit {
			t.Errorf("%s: %v", messageNames[kind], err)
		}
	}
	if _, err := r.message(t.Context(), []byte{'?'}); rowferry.CodeOf(err) != rowferry.CodeUnknownEvent {
		t.Errorf("a message that is not known: %v", err)
	}
}
