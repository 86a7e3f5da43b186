package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

// startPoint is where a reader begins, made concrete.
type startPoint struct {
	// read is where events are read from; transactions before emit are passed
	// over, to compare the last one with its lineage.
	read, emit place
	progress   *progress // as of emit
	notice     string    // what the operator should know of it, or ""
}

// startAt finds the place of a position. lineage names the transaction that
// ended there; it is looked for as far as the given files go. resumed tells
// that the position is a checkpoint, whose first file does not matter;
// otherwise the position has to make sense for all files.
func (s *Source) startAt(ctx context.Context, pos Parsed, lineage string, resumed bool) (*startPoint, error) {
	last, _, _ := strings.Cut(lineage, " ")
	var at *startPoint
	var err error
	switch pos.Kind {
	case Earliest:
		at, err = s.startEarliest(ctx)
	case Latest:
		at, err = s.startLatest(ctx)
	case AtTime:
		at, err = s.startTime(ctx, pos.Time)
	case AtFile:
		at, err = s.startFile(ctx, pos, last, resumed)
	case AtGTID, AtDomains:
		at, err = s.startGTID(ctx, pos, last, resumed)
	default:
		err = rowferry.Errorf(rowferry.CodeBadPosition, "%q is not a position to begin at", pos)
	}
	if err != nil {
		return nil, err
	}
	if err := s.foresee(ctx, at); err != nil {
		return nil, err
	}
	return at, nil
}

func (s *Source) startEarliest(ctx context.Context) (*startPoint, error) {
	first := place{0, s.files[0].name, magicSize}
	p := newProgress()
	err := s.scan(ctx, 0, p, func(seen) (bool, error) { return true, nil })
	return &startPoint{read: first, emit: first, progress: p}, err
}

func (s *Source) startLatest(ctx context.Context) (*startPoint, error) {
	p := newProgress()
	file := 0
	if s.live != nil {
		file = len(s.files) - 1 // whose head says what precedes it
	}
	at := place{file, s.files[file].name, magicSize}
	err := s.scan(ctx, file, p, func(x seen) (bool, error) {
		if !x.group.open {
			at = x.group.last
		}
		return false, nil
	})
	return &startPoint{read: at, emit: at, progress: p}, err
}

// startTime begins before the first transaction that was committed at or
// after a time, or at the end of the log, which is worth a notice if the log
// ends before that time. Files that begin later than that, and not with the
// log itself, do not contain it.
func (s *Source) startTime(ctx context.Context, t time.Time) (*startPoint, error) {
	p := newProgress()
	file, err := s.begunBefore(ctx, t)
	if err != nil {
		return nil, err
	}
	at := place{file, s.files[file].name, magicSize}
	newest, found := uint32(0), false
	err = s.scan(ctx, file, p, func(x seen) (bool, error) {
		g := x.group
		newest = max(newest, x.time)
		if x.typ == replication.FORMAT_DESCRIPTION_EVENT && x.start.file == 0 && int64(x.time) > t.Unix() && s.preceded(p) {
			return true, s.outside(t.Format(time.RFC3339Nano), "the first file was begun later").
				Fact("begun", "%s", clock(x.time).Format(time.RFC3339))
		}
		if x.how != goesOn && !g.commit.Before(t) {
			at, found = g.start, true
			return true, nil
		}
		if !g.open {
			at = g.last
		}
		return false, nil
	})
	sp := &startPoint{read: at, emit: at, progress: p}
	if ends := clock(newest); !found && ends.Before(t) {
		sp.notice = fmt.Sprintf("the log ends at %s, before the start that was asked for, %s: nothing was read", ends.Format(time.RFC3339), t.Format(time.RFC3339Nano))
	}
	return sp, err
}

// begunBefore returns the file to look for a time in, from there on. Of a
// server's log, which may be long, that is the last one begun an hour before.
func (s *Source) begunBefore(ctx context.Context, t time.Time) (int, error) {
	if s.live == nil {
		return 0, nil
	}
	for i := len(s.files) - 1; i > 0; i-- {
		_, h, c, err := openHead(ctx, s.open, s.files[i], i, s.maxEvent)
		if err != nil {
			return 0, err
		}
		if err := c.Close(); err != nil {
			return 0, err
		}
		if clock(parseHeader(h.format).time).Add(clockStep).Before(t) {
			return i, nil
		}
	}
	return 0, nil
}

// preceded reports whether something was logged before the first file.
func (s *Source) preceded(p *progress) bool {
	first := s.files[0]
	return !p.applied.empty() || len(p.domains) > 0 || !first.numbered || first.number > 1
}

func (s *Source) startFile(ctx context.Context, pos Parsed, last string, resumed bool) (*startPoint, error) {
	from := 0
	if index, ok := s.indexOf(pos.File); ok && (resumed || s.live != nil) {
		from = index
	}
	at, p, prev, err := s.locate(ctx, pos, from)
	if err != nil {
		return nil, err
	}
	sp := &startPoint{read: at, emit: at, progress: p}
	if last == "" {
		return sp, nil
	}
	if prev.end != at || prev.id != last {
		return nil, rowferry.Errorf(rowferry.CodeLineageBroken, "another transaction ends at %s than the one that was applied", pos).
			Fact("applied", "%s", last).Fact("here", "%s", cmp.Or(prev.id, "none"))
	}
	sp.read = prev.start
	return sp, nil
}

// startGTID begins before the first transaction that the position does not
// stand for.
func (s *Source) startGTID(ctx context.Context, pos Parsed, last string, resumed bool) (*startPoint, error) {
	file := 0
	if resumed || s.live != nil {
		var err error
		if file, err = s.choose(ctx, pos, last); err != nil {
			return nil, err
		}
	}
	if s.live != nil {
		if err := s.covers(ctx, pos, file); err != nil {
			return nil, err
		}
	}
	p := newProgress()
	p.from(pos)
	at := place{file, s.files[file].name, magicSize}
	read, named, found := place{}, false, false
	err := s.scan(ctx, file, p, func(x seen) (bool, error) {
		g := x.group
		if g.start == x.start && (g.open || x.how != goesOn) {
			if err := p.meet(g); err != nil {
				return true, err
			}
			if !p.skips(&g.name) {
				found = true
				return true, nil
			}
		}
		if x.how != goesOn && g.id() == last {
			read, named = g.start, true
		}
		if !g.open {
			at = g.last
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	if ahead := p.ahead(); !found && ahead != "" {
		return nil, s.outside(shorten(pos.String()), "transactions of it are in none of the files").Fact("not found", "%s", shorten(ahead))
	}
	if !named {
		read = at
	}
	return &startPoint{read: read, emit: at, progress: p}, nil
}

// choose returns the last file that begins before everything the position
// does not stand for and, if it can be had, before the transaction called
// last, which is then read once more.
func (s *Source) choose(ctx context.Context, pos Parsed, last string) (int, error) {
	best := -1
	for i := len(s.files) - 1; i >= 0; i-- {
		_, h, c, err := openHead(ctx, s.open, s.files[i], i, s.maxEvent)
		short := &cut{}
		if errors.As(err, &short) && i == len(s.files)-1 && i > 0 {
			continue
		}
		if err == nil {
			err = c.Close()
		}
		if err != nil {
			return 0, err
		}
		p := newProgress()
		p.from(pos)
		if err := p.head(place{i, s.files[i].name, magicSize}, h); err != nil {
			if i == 0 && best < 0 {
				return 0, err
			}
			continue
		}
		if best < 0 {
			best = i
		}
		if last == "" || !h.has(last) {
			return i, nil
		}
	}
	return max(best, 0), nil
}

// has reports whether a transaction was logged before the file.
func (h *head) has(id string) bool {
	if h.states != nil {
		g, err := parseDomainGTID(id)
		return err == nil && h.states.passed(g)
	}
	if h.gtids != nil {
		set, err := parseGTIDSet(id)
		return err == nil && set.subsetOf(h.gtids)
	}
	return false
}

// foresee settles how positions are written where no transaction has told yet,
// by looking for the next one.
func (s *Source) foresee(ctx context.Context, at *startPoint) error {
	if at.progress.naming != unnamed {
		return nil
	}
	kind := unnamed
	err := s.scan(ctx, at.emit.file, newProgress(), func(x seen) (bool, error) {
		if (x.group.open || x.how != goesOn) && !x.group.start.before(at.emit) {
			kind = x.group.name.naming()
			return true, nil
		}
		return false, nil
	})
	if kind == unnamed {
		switch {
		case !at.progress.applied.empty():
			kind = byGTID
		case len(at.progress.domains) > 0:
			kind = byDomain
		}
	}
	at.progress.naming = kind
	return err
}
