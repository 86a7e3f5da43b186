package rowferry

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// Surveyor is a Copier that can tell beforehand what a copy would find. It makes
// nothing on the server.
type Surveyor interface {
	Copier
	// Survey looks at the tables in scope, and at what there is beside them. An error
	// means that it could not look.
	Survey(ctx context.Context) (*Survey, error)
}

// Survey is what a source has.
type Survey struct {
	// Refused is why nothing of it can be copied, or nil.
	Refused error
	Tables  []SurveyTable // those in scope, by name
	// Others are what the databases or schemas of the tables have beside tables, and
	// no copy brings: by kind and name.
	Others []SurveyObject
}

// SurveyTable is a table in scope.
type SurveyTable struct {
	CopyTable // Shape is nil where it cannot be understood
	Name      schema.Name
	// Refused is why Copier.Copy would refuse the table, or nil.
	Refused error
	// Left names, for people, what the shape does not say and so no target gets:
	// defaults, expressions, checks.
	Left []string
}

// SurveyObject is something that is not carried.
type SurveyObject struct {
	Kind string // "view", "trigger", "function", …
	Name schema.Name
	On   string // the table that it belongs to, or ""
}

// Planner is a Loader that can say what it would do. It changes nothing.
type Planner interface {
	Loader
	// Plan returns, for each of the given Shape mutations, what PrepareLoad and
	// Complete would do with all of them. An error means that it could not look.
	Plan(ctx context.Context, shapes []Mutation) ([]TablePlan, error)
}

// TablePlan is what becomes of a table in the target.
type TablePlan struct {
	Exists   bool
	Refused  error             // why PrepareLoad would refuse it, or nil
	Declared map[string]string // of a table that is made: the type of each column, by name
	Make     []string          // the statements before rows come
	Complete []string          // and those behind the last row
	Notices  []string          // for people: what of the table is not carried, or means something else
}

// CanCopy returns an error where nothing can be copied from the source, or into the
// sink, whatever they hold.
func CanCopy(source Source, sink Sink) (Copier, Loader, error) {
	copier, reads := source.(Copier)
	loader, loads := sink.(Loader)
	switch {
	case !reads:
		return nil, nil, Errorf(CodeNoStart, "this source cannot be copied").Remedy("follow it", "give --from")
	case !loads:
		return nil, nil, Errorf(CodeNoStart, "nothing can be copied into this target").Remedy("follow the source", "give --from")
	}
	return copier, loader, nil
}

// CheckCopyKeys refuses tables whose rows cannot be told apart, where the source
// cannot tell either what a snapshot of them saw.
func CheckCopyKeys(tables []CopyTable) error {
	return refuseKeyless(tables, func(t *CopyTable) bool { return !t.Whole }, "tables without a key cannot be copied from this source while they are written to")
}

// CheckStagedKeys refuses tables without a key where rows are staged: since they get
// keys of their own, or else since they may be put aside.
func CheckStagedKeys(tables []CopyTable, given bool) error {
	why := "tables without a key cannot be copied beside rows that get keys of their own"
	if !given {
		why = "tables without a key cannot be copied where rows may be put aside: copy them without 'on_reject', and say it once the copy is done"
	}
	return refuseKeyless(tables, func(*CopyTable) bool { return true }, why)
}

// refuseKeyless refuses those of the tables without a key that are refused, and says why.
func refuseKeyless(tables []CopyTable, refused func(*CopyTable) bool, why string) error {
	var keyless []schema.Name
	for i := range tables {
		if t := &tables[i]; t.Shape.Identity() == nil && refused(t) {
			keyless = append(keyless, t.Shape.Name)
		}
	}
	slices.SortFunc(keyless, schema.Name.Compare)
	if len(keyless) == 0 {
		return nil
	}
	return Errorf(CodeCopyRefused, "%s", why).Fact("tables", "%v", keyless).
		Remedy("leave out", "these tables, in 'tables'").
		Remedy("give them a key", "a primary key, or a unique one whose columns are NOT NULL")
}

// CheckOccupied refuses tables of the target that a copy finds with rows.
func CheckOccupied(occupied []schema.Name) error {
	if len(occupied) == 0 {
		return nil
	}
	return Errorf(CodeTargetOccupied, "tables that are to be copied into already hold rows").Fact("tables", "%v", occupied).
		Remedy("begin", "empty these tables, or take them out of 'tables', and run the same command again").
		Remedy("only follow", "run the same command with --from")
}
