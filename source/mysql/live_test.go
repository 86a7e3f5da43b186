package mysql

import (
	"context"
	"fmt"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// endpoint is a server of testdb for an account of it.
func endpoint(t testing.TB, s *testdb.Server, login string) connect.Endpoint {
	t.Helper()
	e, err := connect.Parse(fmt.Sprintf("mysql://%s@127.0.0.1:%d", login, s.Port))
	must(t, err)
	return e
}

// TestLiveConformance reads the log of everyKind from a running server, and
// compares it with what the server's files give.
func TestLiveConformance(t *testing.T) {
	for name, k := range logKinds() {
		t.Run(name, func(t *testing.T) {
			s := testdb.Start(t, k.kind, append(k.opts, testdb.Private())...)
			runScript(t, s, script(k.kind, k.script))
			opt := LiveOptions{Endpoint: endpoint(t, s, "root"), Once: true, Scope: notOther}
			for _, chunk := range []int{0, 1} {
				opt.ChunkBytes = chunk
				t.Run(fmt.Sprintf("chunks of %d", chunk), func(t *testing.T) {
					sourcetest.Run(t, func(start rowferry.Start) (rowferry.Reader, error) {
						return Live(opt).Open(t.Context(), start)
					})
				})
			}
			opt.ChunkBytes = 0
			live := readFrom(Live(opt), rowferry.Start{})
			paths, err := s.BinlogFiles()
			must(t, err)
			files := readFrom(Files(Options{Paths: paths, Scope: notOther}), rowferry.Start{})
			must(t, live.err)
			must(t, files.err)
			if got, want := text(live.txs), text(files.txs); got != want || len(live.txs) < 10 {
				t.Errorf("live and files differ:\n%s\nfiles:\n%s", got, want)
			}
		})
	}
}

// runScript runs statements in one session of a server whose log begins with
// them. Statements end in a semicolon at the end of a line.
func runScript(t testing.TB, s *testdb.Server, script string) {
	t.Helper()
	ctx := context.Background()
	must(t, s.ResetBinlog(ctx))
	must(t, inSession(ctx, s, script))
}
