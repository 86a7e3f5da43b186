package mysql

import (
	"context"
	"errors"
	"io"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

// seen is one event that a scan has passed.
type seen struct {
	*event
	head  *head  // of its file
	query *query // of a query event, else nil
	verb  verb
	group *group
	how   ending // what the event did to the transaction in group
}

// scan passes over the log from the start of a file on, reading little more
// than the events' headers, and calls visit after each event; progress does
// not yet count a transaction that the event ended. scan ends when visit says
// so, or without error at the end of the log.
func (s *Source) scan(ctx context.Context, file int, p *progress, visit func(seen) (stop bool, err error)) error {
	return s.pass(ctx, file, p, false, visit)
}

// scanMaps is scan with the table maps, for which it opens compressed
// transactions too.
func (s *Source) scanMaps(ctx context.Context, file int, p *progress, visit func(seen) (stop bool, err error)) error {
	return s.pass(ctx, file, p, true, visit)
}

func (s *Source) pass(ctx context.Context, file int, p *progress, maps bool, visit func(seen) (stop bool, err error)) (err error) {
	events := newFileStream(s, place{file, s.files[file].name, magicSize})
	events.sparse, events.maps = true, maps
	defer func() { err = errors.Join(err, events.Close()) }()
	g := &group{}
	for {
		e, err := events.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.typ == replication.FORMAT_DESCRIPTION_EVENT && e.start.file > p.file {
			if err := p.head(e.start, events.head()); err != nil {
				return err
			}
		}
		x := seen{event: e, head: events.head(), group: g}
		if err := x.step(); err != nil {
			return err
		}
		if stop, err := visit(x); stop || err != nil {
			return err
		}
		if x.how != goesOn {
			if err := p.count(g); err != nil {
				return err
			}
		}
	}
}

// step takes the event into its group.
func (x *seen) step() (err error) {
	switch x.typ {
	case replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT:
		if x.query, err = parseQuery(x.event, x.typ == replication.MARIADB_QUERY_COMPRESSED_EVENT); err != nil {
			return err
		}
		x.verb, _ = parseVerb(x.query.text)
	case replication.TRANSACTION_PAYLOAD_EVENT:
		// It holds all that follows the GTID, the commit included.
		if !x.group.open {
			return x.corrupt("it is outside of a transaction")
		}
		x.how = x.group.end(x.event, commits)
		return nil
	default: // group knows them all
	}
	x.how, err = x.group.step(x.event, x.verb)
	return err
}

// indexOf returns the index of a file by name.
func (s *Source) indexOf(name string) (int, bool) {
	for i, f := range s.files {
		if f.name == name {
			return i, true
		}
	}
	return 0, false
}

// purged reports whether a file is one from before the first.
func (s *Source) purged(name string) bool {
	f, first := newLogFile(name), s.files[0]
	return f.numbered && first.numbered && f.prefix == first.prefix && f.number < first.number
}

func (s *Source) outside(pos, why string) *rowferry.Error {
	where := "these files"
	if s.live != nil {
		where = "the source's log"
	}
	return rowferry.Errorf(rowferry.CodePositionOutside, "%s is not a position in %s", pos, where).
		Fact("reason", "%s", why).
		Fact("first", "%s", s.files[0].name).Fact("last", "%s", s.files[len(s.files)-1].name)
}

// passed is one whole transaction of the log.
type passed struct {
	id         string
	start, end place
}

// locate finds a place in the files, reading from the given file on, and
// checks that it lies between two transactions. The progress is that of the
// place; prev is the last transaction before it, if one was passed.
func (s *Source) locate(ctx context.Context, pos Parsed, file int) (at place, p *progress, prev passed, err error) {
	index, ok := s.indexOf(pos.File)
	if !ok && s.live != nil && s.purged(pos.File) {
		return at, nil, prev, rowferry.Errorf(rowferry.CodeLogMissing, "%s is not in the source's log any more", pos.File).Fact("need", "%s", pos.File)
	}
	if !ok {
		return at, nil, prev, s.outside(pos.String(), "the file is not among them")
	}
	at = place{index, pos.File, pos.Offset}
	p = newProgress()
	found := false
	err = s.scan(ctx, min(file, index), p, func(x seen) (bool, error) {
		if x.how != goesOn {
			prev = passed{x.group.id(), x.group.start, x.end}
		}
		found = !x.group.open && x.end == at || x.start == at && x.typ == replication.FORMAT_DESCRIPTION_EVENT
		if found && x.how != goesOn {
			return true, p.count(x.group)
		}
		return found || at.before(x.end), nil
	})
	if err == nil && !found {
		err = s.outside(pos.String(), "no transaction begins or ends there")
	}
	return at, p, prev, err
}
