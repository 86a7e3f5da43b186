package rowferry

import (
	"errors"
	"fmt"

	"github.com/rowferry/rowferry/schema"
)

// OrphanPolicy says what a copy does at its end with rows of which a foreign key
// has no parent in the target.
type OrphanPolicy string

// The policies. The empty one is StopOrphans.
const (
	// StopOrphans refuses them: CodeRowRefused.
	StopOrphans OrphanPolicy = "stop"
	// NullOrphans sets the columns of the foreign key to NULL in them.
	NullOrphans OrphanPolicy = "null"
	// SkipOrphans deletes them, and what has no parent then, until nothing is
	// orphaned.
	SkipOrphans OrphanPolicy = "skip"
)

// Changes reports whether the policy changes rows.
func (p OrphanPolicy) Changes() bool { return p == NullOrphans || p == SkipOrphans }

// MostOrphanKeys is how many rows Orphans names.
const MostOrphanKeys = 20

// Orphans are the rows of a table of which one foreign key has no parent.
type Orphans struct {
	Table  schema.Name // in the target
	Key    string      // the foreign key, for people
	Policy OrphanPolicy
	Rows   int64
	Keys   []string // for people: what finds the first MostOrphanKeys of them
}

// String says for people what becomes of the rows.
func (o Orphans) String() string {
	did := "are taken out"
	if o.Policy == NullOrphans {
		did = "get NULL in it"
	}
	return fmt.Sprintf("%d rows of table %s, whose foreign key %s has no parent, %s", o.Rows, o.Table, o.Key, did)
}

// Completion says how Loader.Complete gives tables their keys.
type Completion struct {
	// Each is called before each key that is made.
	Each func(what string)
	// Orphans is what becomes of rows without a parent, before foreign keys are made.
	Orphans OrphanPolicy
	// Found is called before such rows are changed.
	Found func(Orphans)
}

// completion is what the engine has Complete do.
func (e *Engine) completion() Completion {
	return Completion{Each: e.stats.completing, Orphans: e.opts.Orphans, Found: e.orphaned}
}

// orphaned tells of rows that are about to be changed, so that nothing is silent
// where the engine is killed right after.
func (e *Engine) orphaned(o Orphans) {
	e.opts.Log.Warn(o.String(), "table", o.Table.String(), "key", o.Key, "orphans", string(o.Policy), "rows", o.Rows, "first", o.Keys)
	e.stats.orphaned(o)
}

// sameOrphans refuses another policy than the one that the pipeline's copy was
// completed with. Until then any will do.
func (e *Engine) sameOrphans(at Checkpoint) error {
	was, now := at.Held.Copy.Orphans, e.opts.Orphans
	if at.Held.Copy.Phase != Copied || was == now.changing() {
		return nil
	}
	return Errorf(CodeConfigChanged, "the copy of pipeline %q was completed with another 'orphans'", at.Pipeline).
		Fact("then", "%s", was.orStop()).Fact("now", "%s", now.orStop()).
		Remedy("undo", "orphans: %s", was.orStop()).
		Remedy("start over", "rowferry destroy, then run again into empty tables")
}

// changing is the policy where it changes rows, and else "".
func (p OrphanPolicy) changing() OrphanPolicy {
	if p.Changes() {
		return p
	}
	return ""
}

func (p OrphanPolicy) orStop() OrphanPolicy {
	if p == "" {
		return StopOrphans
	}
	return p
}

// explainOrphans says of a row that is not as the log knows it that the copy may
// have changed it.
func (e *Engine) explainOrphans(err error) error {
	p := e.at.Held.Copy.Orphans
	if !p.Changes() {
		return err
	}
	var about *Error
	if !errors.As(err, &about) {
		return err
	}
	switch about.Code {
	case CodeRowMissing, CodeRowDiffers, CodeRowRefused:
		did := "deleted rows without a parent, and this may be one of them"
		if p == NullOrphans {
			did = "set the foreign keys of rows without a parent to NULL, and this row may have been one of them"
		}
		about.Fact("orphans: "+string(p), "the copy %s", did)
	}
	return err
}
