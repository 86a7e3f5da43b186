package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// from is a place to begin that was asked for: one of latest and earliest, or an
// LSN.
type from struct {
	latest, earliest bool
	at               lsn
}

// CheckFrom refuses a text that is no place to begin reading at.
func CheckFrom(text string) error {
	_, err := parseFrom(text)
	return err
}

// CheckUntil refuses a text that is no place to end reading at.
func CheckUntil(text string) error {
	_, err := parseUntil(text)
	return err
}

// ParsePosition returns the text of a position, an LSN, as it is printed.
func ParsePosition(text string) (rowferry.Position, error) {
	at, err := parseLSN(text)
	if err != nil {
		return "", err
	}
	return at.position(), nil
}

func parseFrom(text string) (from, error) {
	switch text {
	case "latest":
		return from{latest: true}, nil
	case "earliest", "":
		return from{earliest: true}, nil
	}
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return from{}, badStart(text, "PostgreSQL's log cannot be read from a time on")
	}
	at, err := parseLSN(text)
	if err != nil {
		return from{}, badStart(text, "it is no place in PostgreSQL's log")
	}
	return from{at: at}, nil
}

func badStart(text, why string) error {
	return rowferry.Errorf(rowferry.CodeBadPosition, "%q is not a place to begin at: %s", shorten(text), why).
		Remedy("write", "latest, earliest, or an LSN that the slot still has: 16/B374D848")
}

// until is where the log ends for a Reader: none, an LSN, or a time.
type until struct {
	latest bool
	at     lsn
	time   time.Time
}

func parseUntil(text string) (until, error) {
	switch text {
	case "":
		return until{}, nil
	case "latest":
		return until{latest: true}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return until{time: t}, nil
	}
	if strings.Count(text, "-") == 2 && strings.Contains(text, ":") {
		return until{}, rowferry.Errorf(rowferry.CodeZonelessTime, "%q is a time without a zone", shorten(text)).
			Remedy("write", "2026-11-18T12:04:00Z")
	}
	at, err := parseLSN(text)
	if err != nil {
		return until{}, rowferry.Errorf(rowferry.CodeBadPosition, "%q is not a place to end at", shorten(text)).
			Remedy("write", "an LSN, 16/B374D848, or a time, 2026-11-18T12:04:00Z")
	}
	return until{at: at}, nil
}

// from decides where reading begins, or that the slot is to be made first. A
// position that the caller names is never answered with a new slot.
func (o *opening) from(found *slot) (at lsn, making bool, err error) {
	if o.start.Position != "" {
		at, err = parseLSN(string(o.start.Position))
		if err == nil && found == nil {
			err = missingSlot(o.options.Slot).Fact("position", "%s", at)
		}
		return at, false, err
	}
	f, err := parseFrom(o.options.From)
	if err != nil {
		return 0, false, err
	}
	if o.options.Temporary && !f.latest {
		return 0, false, rowferry.Errorf(rowferry.CodePositionOutside, "without a pipeline's slot, PostgreSQL's log can be read from now on only").
			Remedy("write", "--from latest")
	}
	at, err = o.begins(f, found)
	return at, err == nil && at == 0, err
}

// begins is where a Reader begins that has the source's own start; 0 where the
// slot is to be made for it.
func (o *opening) begins(f from, found *slot) (lsn, error) {
	o.source.mu.Lock()
	made := o.source.made
	o.source.mu.Unlock()
	switch {
	case found == nil && (f.latest || o.copies) && !o.start.Peek:
		return 0, nil
	case found == nil:
		return 0, missingSlot(o.options.Slot).Remedy("from now on", "--from latest, which makes it")
	case found.confirmed == 0:
		return 0, found.check(o.server.database)
	case f.earliest:
		return found.confirmed, nil
	case f.at != 0:
		return f.at, nil
	case made != 0 && found.confirmed == made:
		return made, nil // a former try of ours made it
	case o.start.Peek:
		return o.identity.flushed, nil
	default:
		return 0, rowferry.Errorf(rowferry.CodeNoStart, "there is a replication slot %q already, and the pipeline has no checkpoint", found.name).
			Fact("slot", "has kept everything since %s", found.confirmed).
			Remedy("from the slot on", "--from earliest").
			Remedy("leave it", "choose another source.slot")
	}
}

// settled checks the slot that there is, and that it and the server have all that
// came after where reading begins.
func (o *opening) settled(ctx context.Context, found *slot) error {
	if err := found.check(o.server.database); err != nil {
		return err
	}
	if !o.start.Peek {
		var err error
		if found, err = o.free(ctx, found); err != nil {
			return err
		}
		if err := found.check(o.server.database); err != nil {
			return err
		}
	}
	if err := o.checkLineage(ctx, o.start.Lineage, o.begin); err != nil {
		return err
	}
	if found.confirmed <= o.begin || failpoint.On("accept-slot-ahead") {
		return nil
	}
	code, what := rowferry.CodeSlotAhead, "the replication slot is past the position: what lies between is gone"
	if o.start.Position == "" {
		code, what = rowferry.CodePositionOutside, "the replication slot no longer has that start"
	}
	return rowferry.Errorf(code, "%s", what).
		Fact("slot", "%s", found.name).Fact("confirmed", "%s", found.confirmed).Fact("position", "%s", o.begin).
		Remedy("start over", "rowferry destroy, then run again into empty tables")
}
