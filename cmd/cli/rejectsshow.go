package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry/mapping"
)

// rejectRow is a row that was put aside.
type rejectRow struct {
	Number uint64     `json:"number"`
	Table  string     `json:"table"`
	Key    []string   `json:"source_key"`
	Change string     `json:"change"` // insert, update or delete
	Status string     `json:"status"` // rejected, dropped or waiting
	Code   string     `json:"code"`
	Why    string     `json:"why"` // in the target's words
	Tries  int        `json:"tries"`
	First  time.Time  `json:"first"` // when it was refused
	Last   time.Time  `json:"last"`
	Since  *time.Time `json:"since"`       // the source's commit of the change, null where it is not known
	Tx     string     `json:"transaction"` // and that transaction
	Behind int        `json:"behind"`      // rows that wait for this one
}

func viewReject(r *mapping.RejectedRow) rejectRow {
	v := rejectRow{
		Number: r.Number, Table: r.Entity.String(), Key: mapping.KeyTexts(r.Key), Change: strings.ToLower(r.Op.String()), Status: "waiting",
		Code: string(r.Code), Why: r.Why, Tries: r.Tries, First: r.First, Last: r.Last, Tx: r.Tx, Behind: r.Behind,
	}
	switch {
	case r.Dropped:
		v.Status = "dropped"
	case r.For.Aside:
		v.Status = "rejected"
	}
	if !r.Since.IsZero() {
		v.Since = &r.Since
	}
	return v
}

func (r *rejectRow) row() string { return r.Table + " " + mapping.JoinKey(r.Key) }

func (r *rejectRow) cells(now time.Time) []string {
	return []string{
		strconv.FormatUint(r.Number, 10), r.row(), r.Change, r.Status, count(uint64(r.Tries)), ago(now.Sub(r.Last)), count(uint64(r.Behind)), r.Code + " " + r.Why,
	}
}

func (r *rejectRow) text(now time.Time) string {
	at := func(t time.Time) string { return t.Format(time.RFC3339) + " (" + ago(now.Sub(t)) + ")" }
	lines := [][2]string{
		{"number", strconv.FormatUint(r.Number, 10)}, {"table", r.Table}, {"source key", mapping.JoinKey(r.Key)}, {"change", r.Change}, {"status", r.Status},
		{"why", r.Code + " " + r.Why}, {"tries", count(uint64(r.Tries))}, {"first", at(r.First)}, {"last", at(r.Last)}, {"from", r.Tx},
	}
	if r.Since != nil {
		lines = append(lines, [2]string{"committed", r.Since.Format(time.RFC3339) + " at the source"})
	}
	return pairs(append(lines, [2]string{"behind it", plural(uint64(r.Behind), "row", "rows")}))
}

// rejectOutcome is what became of a row that was to be tried again, or given up.
type rejectOutcome struct {
	Number  uint64     `json:"number"`
	Outcome string     `json:"outcome"` // written, rejected, waiting, dropped or noted
	Row     *rejectRow `json:"row"`     // as it waits; null where it does not any more
}

func viewOutcome(number uint64, row *mapping.RejectedRow) rejectOutcome {
	o := rejectOutcome{Number: number, Outcome: "written"}
	if row != nil {
		v := viewReject(row)
		o.Row, o.Outcome = &v, v.Status
	}
	return o
}

func (o rejectOutcome) cells() []string {
	cells := []string{strconv.FormatUint(o.Number, 10), "", o.Outcome, "", ""}
	if r := o.Row; r != nil {
		cells[1], cells[3], cells[4] = r.row(), count(uint64(r.Behind)), r.Code+" "+r.Why
	}
	return cells
}
