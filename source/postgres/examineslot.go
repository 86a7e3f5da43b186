package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// lookSlot looks at the slot and at what it costs the source.
func (x *examination) lookSlot(context.Context) error {
	if x.slot == nil {
		x.add(passed("slot", "there is none yet: it is made by a copy, or with --from latest"))
		return nil
	}
	if err := x.slot.check(x.server.database); err != nil {
		x.add(findingOf("slot", err))
		return nil
	}
	x.add(x.slotFinding(), x.catalogFinding())
	if x.server.version >= withFailover {
		x.add(x.failoverFinding())
	}
	return nil
}

// findingOf returns an error as a finding.
func findingOf(name string, err error) rowferry.Finding {
	f := rowferry.Finding{Name: name, Level: rowferry.Failed, Code: rowferry.CodeOf(err), What: err.Error()}
	var e *rowferry.Error
	if errors.As(err, &e) {
		f.What, f.Facts, f.Remedies = e.What, e.Facts, e.Remedies
	}
	return f
}

func (x *examination) slotFinding() rowferry.Finding {
	s := x.slot
	state := "nobody reads it"
	if s.active != 0 {
		state = fmt.Sprintf("process %d reads it", s.active)
	}
	if s.retained > largeRetained || s.status == "unreserved" {
		f := warned("slot", fmt.Sprintf("%s keeps %s of log at the source", s.name, inBytes(s.retained)),
			"let it go on", "run the pipeline", "or give it up", "rowferry destroy")
		f.Facts = []rowferry.Fact{{Name: "reader", Value: state}, {Name: "status", Value: s.status}, {Name: "confirmed", Value: s.confirmed.String()}}
		return f
	}
	return passed("slot", "%s keeps %s of log, from %s on; %s", s.name, inBytes(s.retained), s.confirmed, state)
}

// catalogFinding tells of a slot that keeps VACUUM from the catalogs.
func (x *examination) catalogFinding() rowferry.Finding {
	if x.slot.catalogAge > oldCatalog {
		return warned("catalogs", fmt.Sprintf("the slot keeps VACUUM from the source's catalogs since %d transactions, which slows the source down and ends at its transaction ids' wraparound", x.slot.catalogAge),
			"let it go on", "run the pipeline", "or give it up", "rowferry destroy")
	}
	return passed("catalogs", "the slot keeps rows of the catalogs for %d transactions", x.slot.catalogAge)
}

// failoverFinding: standbys keep up with the slot where it says so, and only what
// synchronized_standby_slots names is waited for.
func (x *examination) failoverFinding() rowferry.Finding {
	const name = "failover"
	switch {
	case !x.slot.failover:
		return warned(name, "the slot is not one that standbys keep up with: after a failover the pipeline has to start over",
			"mend, with the pipeline stopped", fmt.Sprintf(`psql "dbname=%s replication=database" -c 'ALTER_REPLICATION_SLOT %s (FAILOVER true)'`, x.server.database, dialect.Quote(x.slot.name)))
	case x.number("standbys") > 0 && x.settings["synchronized_standby_slots"] == "":
		return warned(name, "synchronized_standby_slots names no standby: one that is behind this pipeline may be promoted, and the pipeline has to start over then",
			"mend", "ALTER SYSTEM SET synchronized_standby_slots = '…', the standby's slot", "then", "SELECT pg_reload_conf()")
	default:
		return passed(name, "standbys with sync_replication_slots keep up with the slot")
	}
}

// inBytes is a size for people.
func inBytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	default:
		return fmt.Sprintf("%d kB", n>>10)
	}
}
