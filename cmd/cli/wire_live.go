package cli

import (
	"context"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
)

// opening says how a target's server is opened.
type opening struct {
	create   bool
	triggers string
	notice   func(string)
	readOnly bool
}

// openLive is the server that the settings name as the source. It is not
// connected to before it is opened.
func (s *settings) openLive(ctx context.Context, _ *mapping.Rules, _ budget, in *invocation) (rowferry.Source, error) {
	if _, err := s.source.login(ctx, s, in.env); err != nil {
		return nil, err
	}
	return nil, rowferry.Errorf(rowferry.CodeInternal, "live sources are not wired yet")
}

// openServer connects to the target's server.
func (s *settings) openServer(ctx context.Context, in *invocation, _ opening) (rowferry.CheckpointKeeper, error) {
	if _, err := s.sink.login(ctx, s, in.env); err != nil {
		return nil, err
	}
	return nil, rowferry.Errorf(rowferry.CodeInternal, "server targets are not wired yet")
}
