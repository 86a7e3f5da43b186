package cli

import (
	"context"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
	mysqlsink "github.com/rowferry/rowferry/sink/mysql"
	"github.com/rowferry/rowferry/sink/postgres"
	"github.com/rowferry/rowferry/source/mysql"
	pgsource "github.com/rowferry/rowferry/source/postgres"
)

// opening says how a target's server is opened.
type opening struct {
	create   bool
	inScope  func(target schema.Name) bool // nil for who writes no rows
	triggers string
	byKey    bool
	notice   func(string)
	readOnly bool
}

// openLive is the server that the settings name as the source. It is not
// connected to before it is opened.
func (s *settings) openLive(ctx context.Context, rules *mapping.Rules, b budget, in *invocation) (rowferry.Source, error) {
	endpoint, err := s.source.login(ctx, s, in.env)
	if err != nil {
		return nil, err
	}
	if _, err := endpoint.TLSConfig(); err != nil { // before anything is made
		return nil, err
	}
	return mysql.Live(mysql.LiveOptions{
		Endpoint: endpoint, ServerID: s.serverID, From: s.from, Until: s.until, Once: s.once,
		Scope: rules.InScope, Dump: s.schema, DefaultDB: endpoint.Database, ChunkBytes: b.ChunkBytes, Log: in.log,
	}), nil
}

// openSlot is the PostgreSQL server that the settings name as the source.
func (s *settings) openSlot(ctx context.Context, rules *mapping.Rules, b budget, in *invocation) (*pgsource.Source, error) {
	if s.from != "" {
		if err := pgsource.CheckFrom(s.from); err != nil {
			return nil, err
		}
	}
	if err := pgsource.CheckUntil(s.until); err != nil {
		return nil, err
	}
	if s.source.endpoint.Database == "" {
		return nil, rowferry.Errorf(rowferry.CodeBadValue, "the source's URL names no database, of which a PostgreSQL server has one log each").
			Remedy("write", "%s/DATABASE", s.sourceText())
	}
	endpoint, err := s.source.login(ctx, s, in.env)
	if err != nil {
		return nil, err
	}
	if _, err := endpoint.TLSConfig(); err != nil { // before anything is made
		return nil, err
	}
	return pgsource.Live(pgsource.Options{
		Endpoint: endpoint, Pipeline: s.name, Slot: s.slot.slot, Publication: s.slot.publication, Temporary: s.passing,
		Partitions: s.slot.partitions, Origin: s.slot.origin, From: s.from, Until: s.until, Once: s.once,
		Scope: rules.InScope, ChunkBytes: b.ChunkBytes, Log: in.log,
	}), nil
}

// openServer connects to the target's server.
func (s *settings) openServer(ctx context.Context, in *invocation, o opening) (rowferry.CheckpointKeeper, error) {
	endpoint, err := s.sink.login(ctx, s, in.env)
	if err != nil {
		return nil, err
	}
	switch endpoint.Scheme {
	case "mysql", "mariadb":
		sink, err := mysqlsink.Open(ctx, mysqlsink.Options{
			Endpoint: endpoint, CreateTables: o.create, InScope: o.inScope, Triggers: o.triggers, ByKey: o.byKey, ReadOnly: o.readOnly, Notice: o.notice,
		})
		if err != nil {
			return nil, err // and not a nil *Sink in an interface
		}
		return sink, nil
	case "postgres":
		sink, err := postgres.Open(ctx, postgres.Options{
			Endpoint: endpoint, CreateTables: o.create, InScope: o.inScope, Triggers: o.triggers, ByKey: o.byKey, ReadOnly: o.readOnly, Notice: o.notice,
		})
		if err != nil {
			return nil, err
		}
		return sink, nil
	default:
		return nil, checkTarget(s.target)
	}
}
