package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
)

// mapRow is what a lookup found.
type mapRow struct {
	Table  string      `json:"table"`
	Source []string    `json:"source_key"` // null where it is not known
	Target []string    `json:"target_key"` // null where the row is not in the target
	Status string      `json:"status"`
	Waits  *mapWaitRow `json:"waiting"` // null where it does not wait
}

// mapPair is one row's keys.
type mapPair struct {
	Source []string `json:"source_key"`
	Target []string `json:"target_key"`
	// Met is what was made of a row that the target had before: update, merge or skip.
	Met string `json:"met,omitempty"`
	// Filtered tells that the row is left out of the target.
	Filtered bool `json:"filtered,omitempty"`
}

// mapCount is what is noted of one table's rows.
type mapCount struct {
	Table  string `json:"table"`
	Key    string `json:"key"` // keep, offset or allocate
	Noted  bool   `json:"noted"`
	Mapped int64  `json:"mapped"`
	// Filtered is rows that are noted as left out of the target.
	Filtered int64 `json:"filtered"`
	Waiting  int64 `json:"waiting"` // those that were put aside not among them
	// Rejected is rows that were put aside.
	Rejected int64       `json:"rejected"`
	Bytes    int64       `json:"bytes"` // before they are packed
	Columns  []mapColumn `json:"key_columns"`
}

// mapColumn is a column of a table's key.
type mapColumn struct {
	Name string `json:"name"` // in the target
	Type string `json:"type"`
}

// mapWaitRow is a row that waits.
type mapWaitRow struct {
	Number uint64     `json:"number"`
	Table  string     `json:"table"`
	Key    []string   `json:"source_key"`
	Change string     `json:"change"` // insert, update or delete
	For    mapAwaited `json:"waits_for"`
	Since  *time.Time `json:"since"` // null where it is not known
	Tx     string     `json:"transaction"`
	Behind int        `json:"behind"`
}

// mapAwaited is what it waits for.
type mapAwaited struct {
	Table  string   `json:"table"`
	Key    []string `json:"source_key"`
	Reason string   `json:"reason"`
}

func viewRow(f *mapping.Found) mapRow {
	r := mapRow{Table: f.Entity.String(), Source: mapping.KeyTexts(f.Key), Target: mapping.KeyTexts(f.Target), Status: string(f.Status)}
	if f.Waits != nil {
		w := viewWaiting(f.Waits)
		r.Waits = &w
	}
	return r
}

func viewCount(c *mapping.Count) mapCount {
	v := mapCount{Table: c.Entity.String(), Key: string(c.Key), Noted: c.Noted, Mapped: c.Mapped, Filtered: c.Filtered, Waiting: c.Waiting - c.Rejected, Rejected: c.Rejected, Bytes: c.Bytes, Columns: []mapColumn{}}
	for i := range c.Columns {
		v.Columns = append(v.Columns, mapColumn{c.Columns[i].Name, c.Columns[i].Type.String()})
	}
	if c.Key == mapping.Keep {
		v.Key = "keep"
	}
	return v
}

func viewWaiting(w *mapping.WaitingRow) mapWaitRow {
	v := mapWaitRow{
		Number: w.Number, Table: w.Entity.String(), Key: mapping.KeyTexts(w.Key), Change: strings.ToLower(w.Op.String()), Tx: w.Tx, Behind: w.Behind,
		For: mapAwaited{Table: w.For.Entity.String(), Key: mapping.KeyTexts(w.For.Key)},
	}
	if !w.Since.IsZero() {
		v.Since = &w.Since
	}
	switch {
	case w.For.Aside:
		v.For.Reason = "the target refused it; see rowferry rejects"
	case w.For.Leaves && w.For.Key == nil:
		v.For.Reason = "what it waited for was just written"
	case w.For.Leaves:
		v.For.Reason = "it waits too, and is written first: it still has a key, a unique value or a parent in the target"
	case w.For.Waits:
		v.For.Reason = "it waits too"
	default:
		v.For.Reason = "it has not come"
	}
	return v
}

func (w *mapAwaited) text() string {
	if w.Key == nil {
		return w.Reason
	}
	return w.Table + " " + mapping.JoinKey(w.Key) + ": " + w.Reason
}

// since says for people since when the row waits.
func (w *mapWaitRow) since(now time.Time) string {
	if w.Since == nil {
		return "unknown"
	}
	return fmt.Sprintf("%s (%s)", w.Since.Format(time.RFC3339), ago(now.Sub(*w.Since)))
}

func (in *invocation) mapSettings() (*settings, error) {
	s, err := in.settings()
	if err == nil {
		err = s.need("target")
	}
	return s, err
}

func mapLookup(ctx context.Context, in *invocation) error {
	if len(in.args) < 2 {
		return rowferry.Errorf(rowferry.CodeUsage, "rowferry map lookup takes a table and a key").
			Remedy("write", "rowferry map lookup shop.orders 17")
	}
	s, err := in.mapSettings()
	if err != nil {
		return err
	}
	a := mapArgs{What: "lookup", Table: in.args[0], Key: in.args[1], ByTarget: in.on("by-target")}
	return askMap(ctx, s, a, func(r mapRow) error {
		if in.json {
			in.result = r
			return nil
		}
		return writeAll(in.stdout, r.text(in.clock.Now()))
	})
}

func (r *mapRow) text(now time.Time) string {
	orNone := func(key []string) string {
		if key == nil {
			return "none"
		}
		return mapping.JoinKey(key)
	}
	lines := [][2]string{{"table", r.Table}, {"source key", orNone(r.Source)}, {"target key", orNone(r.Target)}, {"status", r.Status}}
	if w := r.Waits; w != nil {
		lines = append(lines, [2]string{"change", w.Change}, [2]string{"waits for", w.For.text()}, [2]string{"since", w.since(now)},
			[2]string{"behind it", plural(uint64(w.Behind), "row", "rows")})
	}
	return pairs(lines)
}

func mapList(ctx context.Context, in *invocation) error {
	s, err := in.mapSettings()
	if err != nil {
		return err
	}
	if len(in.args) == 0 {
		out := newItems[mapCount](in, 0, []string{"table", "key", "mapped", "filtered", "waiting", "rejected", "bytes"}, 2, 3, 4, 5, 6)
		out.row = func(c mapCount) []string {
			mapped := count(uint64(c.Mapped))
			if !c.Noted {
				mapped = "not noted"
			}
			return []string{c.Table, c.Key, mapped, count(uint64(c.Filtered)), count(uint64(c.Waiting)), count(uint64(c.Rejected)), count(uint64(c.Bytes))}
		}
		return out.end(askMap(ctx, s, mapArgs{What: "counts"}, out.add), "no tables are known")
	}
	most, err := in.limit()
	if err != nil {
		return err
	}
	out := newItems[mapPair](in, most, []string{"source", "target"})
	out.row = func(p mapPair) []string {
		if p.Filtered {
			return []string{mapping.JoinKey(p.Source), string(mapping.Left)}
		}
		return []string{mapping.JoinKey(p.Source), mapping.JoinKey(p.Target)}
	}
	return out.end(askMap(ctx, s, mapArgs{What: "pairs", Table: in.args[0], Limit: out.ask()}, out.add), "no keys are noted")
}

func mapWaiting(ctx context.Context, in *invocation) error {
	s, err := in.mapSettings()
	if err != nil {
		return err
	}
	most, err := in.limit()
	if err != nil {
		return err
	}
	out := newItems[mapWaitRow](in, most, []string{"row", "change", "since", "behind", "waits for"}, 3)
	out.row = func(w mapWaitRow) []string {
		return []string{w.Table + " " + mapping.JoinKey(w.Key), w.Change, w.since(in.clock.Now()), count(uint64(w.Behind)), w.For.text()}
	}
	return out.end(askMap(ctx, s, mapArgs{What: "waiting", Limit: out.ask()}, out.add), "no row waits")
}
