package cli

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
)

func rejectsCommand() *command {
	return &command{
		name:    "rejects",
		summary: "the rows that the target refused and that were put aside",
		about:   "With `on_reject: quarantine`, a row that the target refuses is put aside in the state directory: its later changes join it, and what depends on it waits. A running engine is asked, and told, through the socket in the state directory. Where none runs, what there is is read there, and what is wanted is noted there for the next run. Rows are named by the number that the list begins with.",
		example: "rowferry rejects list -c shop.yaml",
		sub: []*command{
			{
				name:    "list",
				summary: "list the rows that are put aside, and why",
				about:   "In the order in which they were put aside. Status is rejected, or dropped where the row was given up. Tries is how often the target has refused it, last is when it did last, and behind is the number of rows that wait for this one.",
				example: "rowferry rejects list -c shop.yaml",
				options: append([]*option{pairsOption}, pipelineOptions...),
				run:     rejectsList,
			},
			{
				name: "show", args: "NUMBER", maxArgs: 1,
				summary: "tell all about one row",
				about:   "Status is rejected, dropped, or waiting where the row was tried again and waits for another one now.",
				example: "rowferry rejects show -c shop.yaml 17",
				options: pipelineOptions,
				run:     rejectsShow,
			},
			{
				name: "retry", args: "[NUMBER…]", maxArgs: mostNumbers,
				summary: "try rows again, with all that happened to them since",
				about:   "Once what they were refused for is mended. The outcome of each is written, rejected where the target has refused it again, waiting where it waits for another row now, or noted where no engine runs: the next run tries it first. What waits for a row that is written follows at once. An engine that is paused tries when it is resumed.",
				example: "rowferry rejects retry -c shop.yaml --all",
				options: append([]*option{{name: "all", usage: "all rows that are put aside and were not dropped"}}, pipelineOptions...),
				run:     func(ctx context.Context, in *invocation) error { return in.wish(ctx, false) },
			},
			{
				name: "drop", args: "NUMBER…", maxArgs: mostNumbers,
				summary: "give rows up: they are counted no more, and never written",
				about:   "The target stays without the row, or with what it had of it. Its later changes are given up with it, until it is deleted in the source. What waits for it waits on: children of a row that was never inserted, and rows that would take its key or a unique value that it has in the target. They come when the row is deleted, or tried again after all: a dropped row stays in the list, and in the state directory.",
				example: "rowferry rejects drop -c shop.yaml 17",
				options: pipelineOptions,
				run:     func(ctx context.Context, in *invocation) error { return in.wish(ctx, true) },
			},
		},
	}
}

// mostNumbers bounds how many rows are named by one command.
const mostNumbers = 1000

// rejectArgs is what is asked, or wanted, of rows that were put aside, also of a
// running engine.
type rejectArgs struct {
	Pipeline string   `json:"pipeline"`
	What     string   `json:"what"` // list, show, retry or drop
	Numbers  []uint64 `json:"numbers,omitempty"`
	All      bool     `json:"all,omitempty"`
	Limit    int      `json:"limit,omitempty"` // 0 is none
}

// tell calls emit with the rows that were asked for.
func (a *rejectArgs) tell(ctx context.Context, r *mapping.Reader, emit func(any) error) error {
	if a.What == "show" {
		for _, n := range a.Numbers {
			row, err := r.InRoom(n)
			if err != nil {
				return err
			}
			if row == nil || row.Code == "" {
				return noReject(n)
			}
			if err := emit(viewReject(row)); err != nil {
				return err
			}
		}
		return nil
	}
	left := a.Limit
	return r.Rejected(ctx, func(row *mapping.RejectedRow) error {
		if err := emit(viewReject(row)); err != nil {
			return err
		}
		if left--; left == 0 {
			return mapping.ErrEnough
		}
		return nil
	})
}

func noReject(n uint64) error {
	return rowferry.Errorf(rowferry.CodeRejectUnknown, "no row is put aside under the number %d", n)
}

// wishes are what is wanted, of rows that are there.
func (a *rejectArgs) wishes(ctx context.Context, r *mapping.Reader) (list []rowferry.Wish, err error) {
	numbers := slices.Compact(slices.Sorted(slices.Values(a.Numbers)))
	if a.All {
		err = r.Rejected(ctx, func(row *mapping.RejectedRow) error {
			if !row.Dropped {
				numbers = append(numbers, row.Number)
			}
			return nil
		})
	}
	for _, n := range numbers {
		row, readErr := r.InRoom(n)
		if readErr != nil {
			return nil, errors.Join(err, readErr)
		}
		if !a.All && (row == nil || !row.For.Aside) {
			return nil, errors.Join(err, noReject(n))
		}
		list = append(list, rowferry.Wish{Number: n, Drop: a.What == "drop"})
	}
	return list, err
}

// tellRejects answers the list of that name.
func (m *monitor) tellRejects(ctx context.Context, raw json.RawMessage, emit func(any) error) error {
	var a rejectArgs
	r, err := m.asked(raw, &a, &a.Pipeline)
	if err != nil {
		return err
	}
	switch a.What {
	case "list", "show":
		return a.tell(ctx, r, emit)
	case "retry", "drop":
	default:
		return rowferry.Errorf(rowferry.CodeUsage, "%q cannot be asked of what was put aside", a.What)
	}
	list, err := a.wishes(ctx, r)
	if err != nil {
		return err
	}
	m.mu.Lock()
	grant := m.grant
	m.mu.Unlock()
	granted := grant(ctx, list)
	for _, w := range list {
		row, err := r.InRoom(w.Number)
		if err != nil {
			return errors.Join(granted, err)
		}
		if err := emit(viewOutcome(w.Number, row)); err != nil {
			return errors.Join(granted, err)
		}
	}
	return granted
}

// askRejects asks the engine that runs the pipeline or, where none does, otherwise.
func askRejects[T any](ctx context.Context, s *settings, a rejectArgs, fn func(T) error, otherwise func(*mapping.Reader) error) error {
	a.Pipeline = s.name
	err := listFromEngine(ctx, s.state, "rejects", a, func(raw json.RawMessage) error {
		var item T
		if err := json.Unmarshal(raw, &item); err != nil {
			return err
		}
		return fn(item)
	})
	if !errors.Is(err, errNoEngine) {
		return err
	}
	return s.readNotes(ctx, otherwise)
}

func rejectsList(ctx context.Context, in *invocation) error {
	s, err := in.mapSettings()
	if err != nil {
		return err
	}
	most, err := in.limit()
	if err != nil {
		return err
	}
	out := newItems[rejectRow](in, most, []string{"number", "row", "change", "status", "tries", "last", "behind", "why"}, 0, 4, 6)
	out.row = func(r rejectRow) []string { return r.cells(in.clock.Now()) }
	a := rejectArgs{What: "list", Limit: out.ask()}
	err = askRejects(ctx, s, a, out.add, func(r *mapping.Reader) error {
		return a.tell(ctx, r, func(item any) error { return out.add(item.(rejectRow)) })
	})
	return out.end(err, "no row is put aside")
}

func rejectsShow(ctx context.Context, in *invocation) error {
	numbers, err := in.numbers()
	if err != nil {
		return err
	}
	s, err := in.mapSettings()
	if err != nil {
		return err
	}
	show := func(r rejectRow) error {
		if in.json {
			in.result = r
			return nil
		}
		return writeAll(in.stdout, r.text(in.clock.Now()))
	}
	a := rejectArgs{What: "show", Numbers: numbers}
	return askRejects(ctx, s, a, show, func(r *mapping.Reader) error {
		return a.tell(ctx, r, func(item any) error { return show(item.(rejectRow)) })
	})
}

// numbers are the arguments of the command.
func (in *invocation) numbers() (list []uint64, err error) {
	for _, text := range in.args {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n == 0 {
			return nil, rowferry.Errorf(rowferry.CodeUsage, "%q is no number of a row", text).Remedy("list", "rowferry rejects list")
		}
		list = append(list, n)
	}
	if len(list) == 0 && !in.given("all") {
		return nil, rowferry.Errorf(rowferry.CodeUsage, "it was not said which rows").Remedy("name", "them by the numbers that rowferry rejects list prints")
	}
	return list, nil
}

// wish has rows tried again, or given up.
func (in *invocation) wish(ctx context.Context, drop bool) error {
	numbers, err := in.numbers()
	if err != nil {
		return err
	}
	s, err := in.mapSettings()
	if err != nil {
		return err
	}
	a := rejectArgs{What: "retry", Numbers: numbers, All: !drop && in.on("all")}
	if drop {
		a.What = "drop"
	}
	if a.All && len(numbers) > 0 {
		return rowferry.Errorf(rowferry.CodeUsage, "--all and numbers cannot be together")
	}
	out := newItems[rejectOutcome](in, 0, []string{"number", "row", "outcome", "behind", "why"}, 0, 3)
	out.row = rejectOutcome.cells
	err = askRejects(ctx, s, a, out.add, func(r *mapping.Reader) error {
		list, err := a.wishes(ctx, r)
		if err != nil {
			return err
		}
		if err := s.noteWishes(list); err != nil {
			return err
		}
		for _, w := range list {
			row, err := r.InRoom(w.Number)
			if err != nil {
				return err
			}
			o := viewOutcome(w.Number, row)
			o.Outcome = "noted"
			if err := out.add(o); err != nil {
				return err
			}
		}
		return nil
	})
	return out.end(err, "no row is put aside")
}

// rejected tells that a run which has come to its end has not applied everything.
func (s *settings) rejected(n int64) error {
	if n == 0 {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeRejected, "%s that the target refused %s put aside", plural(uint64(n), "row", "rows"), isOrAre(n)).
		Remedy("look", "%s", s.again("rejects list"))
}

func isOrAre(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
