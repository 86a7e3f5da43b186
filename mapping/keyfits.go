package mapping

import (
	"slices"
)

// fits refuses rules about the keys of one table that contradict each other, or what its
// deletes come to.
func (k KeyRule) fits(table string, deletes Deletes) (errs []error) {
	switch {
	case k.Key == Match && len(k.Match) == 0:
		errs = append(errs, refuseRule(table, "key: match needs columns to match by").Remedy("write", "key: {match: [email]}"))
	case k.Key != Match && len(k.Match) > 0:
		errs = append(errs, refuseRule(table, "a key is found by match, or given by %s, not both", k.Key))
	case k.Key == Allocate && k.looks():
		errs = append(errs, refuseRule(table, "on_duplicate is about rows that are there under the same key, and a new key is no row's").
			Remedy("find rows by other columns", "key: {match: [email]}"))
	case k.looks() && deletes != HardDeletes:
		errs = append(errs, refuseRule(table, "on_duplicate and 'key: match' need 'deletes: hard': a row that stays would meet itself when it comes again").
			Remedy("write", "deletes: hard"))
	}
	if k.follows() {
		errs = append(errs, k.followable(table, deletes)...)
	}
	return errs
}

// followable refuses rules of one table that do not go with where_parent.
func (k KeyRule) followable(table string, deletes Deletes) (errs []error) {
	if k.Missing != "" && k.Missing != Wait {
		errs = append(errs, refuseRule(table, "where_parent and 'missing_parent: %s' cannot be together: a row that comes before its parent has to wait until it is known whether that is in the target", k.Missing).
			Remedy("write", "missing_parent: wait"))
	}
	if k.looks() {
		errs = append(errs, refuseRule(table, "where_parent is not for rows that may be those of others in the target, by 'match' or 'on_duplicate'").
			Remedy("leave out", "where_parent"))
	}
	if deletes != HardDeletes {
		errs = append(errs, refuseRule(table, "where_parent needs 'deletes: hard': a row that stayed when its parent left would meet itself when it comes again").
			Remedy("write", "deletes: hard"))
	}
	for _, ref := range k.References {
		if ref.Kind != "" && (slices.Contains(k.WhereParent, ref.Column) || slices.Contains(k.WhereParent, ref.Kind)) {
			errs = append(errs, refuseRule(table, "where_parent is for a reference that always leads to the same table, and %s does not", ref.Column).
				Remedy("name", "the columns of another reference"))
		}
	}
	return errs
}
