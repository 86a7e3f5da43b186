package postgres

import (
	"context"
	"fmt"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// Belonging is something that a pipeline has, or may have, at its source.
type Belonging struct {
	Kind string // "slot" or "publication"
	Name string
	What string // for people
	Keep string // why it is not the pipeline's to drop; "" where it is
}

// Belongings returns the slot and the publication of the pipeline, as far as they
// exist. known says that the pipeline has a checkpoint, so that a slot of its name
// is its own; else only the publication, whose comment names the pipeline, tells
// that. A slot that somebody reads is CodeSlotTaken.
func (s *Source) Belongings(ctx context.Context, known bool) ([]Belonging, error) {
	o := s.options
	if err := o.settle(); err != nil {
		return nil, err
	}
	session, err := openSession(ctx, o.Endpoint)
	if err != nil {
		return nil, err
	}
	defer session.close()
	return session.belongings(ctx, o, known)
}

func (s *session) belongings(ctx context.Context, o Options, known bool) (all []Belonging, err error) {
	v, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.readSlot(ctx, o.Slot)
	if err != nil {
		return nil, err
	}
	pub, err := s.readPublication(ctx, o.Publication)
	if err != nil {
		return nil, err
	}
	made := pub != nil && pub.made == o.Pipeline
	if found != nil {
		b := Belonging{Kind: "slot", Name: found.name, What: "keeps " + inBytes(found.retained) + " of log"}
		switch {
		case found.kind != "logical" || found.plugin != pgoutput || found.database != v.database:
			b.Keep = "it is of another kind than Rowferry reads"
		case found.active != 0:
			return nil, rowferry.Errorf(rowferry.CodeSlotTaken, "the pipeline's replication slot is being read").
				Fact("slot", "%s", found.name).Fact("process", "%d", found.active).Remedy("stop", "the engine, then run the same command again")
		case !known && !made:
			b.Keep = "the pipeline has no checkpoint, so it cannot be told whose it is"
		}
		all = append(all, b)
	}
	if pub != nil {
		b := Belonging{Kind: "publication", Name: pub.name, What: fmt.Sprintf("of %d tables", len(pub.tables))}
		if !made {
			b.Keep = "Rowferry did not make it for this pipeline"
		}
		all = append(all, b)
	}
	return all, nil
}

// Drop drops what Belongings said is the pipeline's, the slot first. What is
// gone by now is no error; what is no longer the pipeline's is left alone.
func (s *Source) Drop(ctx context.Context, known bool) error {
	o := s.options
	if err := o.settle(); err != nil {
		return err
	}
	session, err := openSession(ctx, o.Endpoint)
	if err != nil {
		return err
	}
	defer session.close()
	all, err := session.belongings(ctx, o, known)
	if err != nil {
		return err
	}
	for _, b := range all {
		switch {
		case b.Keep != "":
		case b.Kind == "slot":
			err = session.exec(ctx, "SELECT pg_drop_replication_slot($1)", b.Name)
		default:
			err = session.exec(ctx, "DROP PUBLICATION IF EXISTS "+dialect.Quote(b.Name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
