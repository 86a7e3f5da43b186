package mysql

import (
	"context"
	"io"
	"maps"
	"time"

	"github.com/rowferry/rowferry"
)

// untilPoint is where the log ends for a reader.
type untilPoint struct {
	pos     Parsed
	at      place   // AtFile
	gtids   gtidSet // AtGTID: what is still to come
	domains domains // AtDomains: what is still to come
}

// untilAt makes the end concrete. A place has to lie between two transactions
// of the given files.
func (s *Source) untilAt(ctx context.Context, p *progress) (untilPoint, error) {
	u := untilPoint{pos: s.until}
	switch s.until.Kind {
	case Latest, AtTime:
	case AtFile:
		index, ok := s.indexOf(s.until.File)
		if at, yes := s.ahead(s.until, index, ok); yes {
			u.at = at
			return u, nil
		}
		at, _, _, err := s.locate(ctx, s.until, index)
		if err != nil {
			return u, err
		}
		u.at = at
	case AtGTID:
		u.gtids = s.until.gtids.minus(&p.applied)
		u.gtids = u.gtids.minus(&p.logged)
	case AtDomains:
		u.domains = maps.Clone(s.until.domains)
		for k, g := range u.domains {
			if p.domains.has(g) || p.states.passed(g) {
				delete(u.domains, k)
			}
		}
	default:
		return u, rowferry.Errorf(rowferry.CodeBadPosition, "%q is not a position to end at", s.until)
	}
	return u, nil
}

// ahead returns the place of a position that a live log has not reached yet.
func (s *Source) ahead(pos Parsed, index int, listed bool) (place, bool) {
	if s.live == nil {
		return place{}, false
	}
	if at := (place{index, pos.File, pos.Offset}); listed {
		return at, s.live.end.before(at)
	}
	f, last := newLogFile(pos.File), s.files[len(s.files)-1]
	if !f.numbered || !last.numbered || f.prefix != last.prefix || f.number <= last.number || f.number-last.number > 1<<30 {
		return place{}, false
	}
	return place{len(s.files) - 1 + int(f.number-last.number), pos.File, pos.Offset}, true
}

// reached reports whether nothing more is wanted: last is the newest place
// between two transactions that was read, and emit where reading began.
func (u *untilPoint) reached(p *progress, last, emit place) bool {
	switch u.pos.Kind {
	case AtFile:
		return !last.before(u.at) || !emit.before(u.at)
	case AtGTID:
		return u.gtids.empty()
	case AtDomains:
		return len(u.domains) == 0
	default:
		return false
	}
}

// pass takes a transaction that was emitted.
func (u *untilPoint) pass(name *txName) {
	switch u.pos.Kind {
	case AtGTID:
		u.gtids.remove(name.gtid)
	case AtDomains:
		if u.domains.has(name.domain) {
			delete(u.domains, name.domain.domain)
		}
	case Earliest, Latest, AtTime, AtFile: // no named transaction is waited for
	}
}

// timed reports whether commit times decide.
func (u *untilPoint) timed() bool { return u.pos.Kind == AtTime }

// after reports whether a transaction committed at t is no longer wanted.
func (u *untilPoint) after(t time.Time) bool { return u.timed() && t.After(u.pos.Time) }

// missed is what the end of the log means: io.EOF, or that the end that was
// asked for lies further on.
func (u *untilPoint) missed(last place) error {
	left := ""
	switch u.pos.Kind {
	case AtFile:
		left = u.at.String()
	case AtGTID:
		left = u.gtids.String()
	case AtDomains:
		left = u.domains.String()
	case Earliest, Latest, AtTime: // reached wherever the log ends
	}
	if left == "" {
		return io.EOF
	}
	return rowferry.Errorf(rowferry.CodeUntilNotFound, "the log ended before %s was reached", shorten(u.pos.String())).
		Fact("not found", "%s", shorten(left)).Fact("log ends at", "%s", last)
}

// commitAhead finds the commit time of the transaction that starts at a place,
// for those that say it only at their end.
func (s *Source) commitAhead(ctx context.Context, start place) (t time.Time, err error) {
	err = s.scan(ctx, start.file, newProgress(), func(x seen) (bool, error) {
		if x.how != goesOn && x.group.start == start {
			t = x.group.commit
			return true, nil
		}
		return false, nil
	})
	return t, err
}
