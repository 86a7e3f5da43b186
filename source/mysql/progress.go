package mysql

import (
	"maps"

	"github.com/rowferry/rowferry"
)

// naming is how a log names its transactions, and so how positions in it are
// written.
type naming uint8

const (
	unnamed  naming = iota // not known yet: no transaction was seen
	byFile                 // file and offset
	byGTID                 // MySQL GTIDs
	byDomain               // MariaDB GTIDs
)

// progress keeps what has been passed of a log: logged is everything that was
// in the log so far, applied what a position stands for. They differ while
// reading resumes from a set with gaps, and where it begins after transactions
// of the same files.
type progress struct {
	naming  naming
	logged  gtidSet
	applied gtidSet
	states  logState // MariaDB: what logged is for MySQL
	domains domains  // MariaDB: what applied is for MySQL
	// pending are the GTIDs of a MariaDB position that have not been passed:
	// everything in their domains is applied already, up to and with them.
	pending domains
	set     bool // a position was set: applied does not follow the log
	file    int  // of the last head taken; -1 before the first
}

func newProgress() *progress {
	return &progress{states: newLogState(), domains: domains{}, pending: domains{}, file: -1}
}

// from sets what a position stands for, before anything is read.
func (p *progress) from(at Parsed) {
	switch at.Kind {
	case AtGTID:
		p.set, p.naming, p.applied = true, byGTID, at.gtids.clone()
	case AtDomains:
		p.set, p.naming = true, byDomain
		maps.Copy(p.domains, at.domains)
		maps.Copy(p.pending, at.domains)
	case Earliest, Latest, AtTime, AtFile: // stand for no named transaction
	}
}

// head takes the head of a file. The first one says what precedes all files;
// a later one must be what has been passed, or transactions are missing. Where
// it names none, what else ties the file to the one before it has to do.
func (p *progress) head(at place, h *head) error {
	first := p.file < 0
	p.file = at.file
	if first {
		return p.firstHead(at, h)
	}
	if err := p.compare(at, h); err != nil {
		return err
	}
	j := h.join
	if p.proves(h) {
		// Another server that goes on with the same GTIDs is a replica. The
		// same one counts anew after a reset.
		if j.server == nil {
			return j.rotation
		}
		return nil
	}
	for _, err := range []error{j.server, j.rotation, j.clock, j.names} {
		if err != nil {
			return err
		}
	}
	return nil
}

// proves reports whether a head that names what has been passed proves that
// nothing is missing before it: all that is logged has a GTID.
func (p *progress) proves(h *head) bool {
	if h.states != nil {
		return len(h.states.servers) > 0
	}
	return h.gtids != nil && !h.gtids.empty() && p.naming == byGTID
}

// compare checks that a head names exactly what has been passed.
func (p *progress) compare(at place, h *head) error {
	if h.gtids != nil {
		// First what another log lacks: of that one something is missing too.
		if extra := p.logged.minus(h.gtids); !extra.empty() {
			return unrelated(at, extra.String())
		}
		if lost := h.gtids.minus(&p.logged); !lost.empty() {
			return absent(at, lost.String())
		}
	}
	if h.states == nil {
		return nil
	}
	for k, seq := range p.states.servers {
		// A whole domain may have been deleted from the state on purpose.
		_, kept := h.states.last[k[0]]
		if _, ok := h.states.servers[k]; kept && !ok {
			return unrelated(at, domainGTID{k[0], k[1], seq}.String())
		}
	}
	for k, seq := range h.states.servers {
		if have, ok := p.states.servers[k]; !ok || have != seq {
			return absent(at, domainGTID{k[0], k[1], seq}.String())
		}
	}
	return nil
}

// firstHead begins with what precedes the first file. What a position that
// was set does not stand for must not be among it.
func (p *progress) firstHead(at place, h *head) error {
	if h.gtids != nil {
		p.logged = h.gtids.clone()
		if !p.set {
			p.applied = h.gtids.clone()
		} else if lost := p.logged.minus(&p.applied); !lost.empty() {
			return absent(at, lost.String())
		}
	}
	if h.states != nil {
		p.states = h.states.clone()
		if !p.set {
			maps.Copy(p.domains, h.states.last)
		} else if lost := p.domains.lost(h.states); lost != "" {
			return absent(at, lost)
		}
		for k, g := range h.states.last {
			if p.pending[k] == g {
				delete(p.pending, k)
			}
		}
	}
	return nil
}

// lost names a transaction after the position that was logged before a file
// with the given state, or is empty. A position that is the last of its
// domain in the state is just reached; one that is not in it lies ahead.
func (d domains) lost(s *logState) string {
	for k, last := range s.last {
		g, ok := d[k]
		if !ok {
			return last.String()
		}
		if g != last && s.passed(g) {
			return "what follows " + g.String()
		}
	}
	return ""
}

func absent(at place, names string) error {
	return rowferry.Errorf(rowferry.CodeLogMissing, "transactions before %s are not in the given files", at.name).
		Fact("missing", "%s", shorten(names)).
		Remedy("add the missing files", "give every file from the last applied transaction on")
}

func unrelated(at place, names string) error {
	return rowferry.Errorf(rowferry.CodeLineageBroken, "%s does not continue the files before it", at.name).
		Fact("it does not know of", "%s", shorten(names))
}

func shorten(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// meet checks that a transaction is named as the log's others are.
func (p *progress) meet(g *group) error {
	is := g.name.naming()
	if p.naming == unnamed {
		p.naming = is
	}
	if p.naming != is {
		return mixed(g.start, g.id(), p.naming != byFile)
	}
	return nil
}

// skips reports whether the position that was set stands for the transaction
// already. It is asked once for each, before pass.
func (p *progress) skips(name *txName) bool {
	switch {
	case !p.set:
		return false
	case p.naming == byGTID:
		return p.applied.contains(name.gtid)
	case p.naming == byDomain:
		g, ahead := p.pending[name.domain.domain]
		if ahead && g == name.domain {
			delete(p.pending, g.domain)
		}
		return ahead
	default:
		return false
	}
}

// ahead names what the position that was set stands for and has not been
// passed; it is empty when the position has been reached in full.
func (p *progress) ahead() string {
	switch {
	case !p.set:
		return ""
	case p.naming == byGTID:
		left := p.applied.minus(&p.logged)
		return left.String()
	default:
		return p.pending.String()
	}
}

// pass records a transaction that was in the log.
func (p *progress) pass(name *txName) {
	switch p.naming {
	case byGTID:
		p.logged.add(name.gtid)
	case byDomain:
		p.states.add(name.domain)
	case unnamed, byFile: // the place in the file says it
	}
}

// count records a transaction that was passed over. Where no position was set,
// the position is wherever the log has been passed to.
func (p *progress) count(g *group) error {
	if err := p.meet(g); err != nil {
		return err
	}
	p.pass(&g.name)
	if !p.set {
		p.apply(&g.name)
	}
	return nil
}

// apply records a transaction that the position from now on stands for.
func (p *progress) apply(name *txName) {
	switch p.naming {
	case byGTID:
		p.applied.add(name.gtid)
	case byDomain:
		p.domains[name.domain.domain] = name.domain
	case unnamed, byFile: // the place in the file says it
	}
}

// position prints where we are: at is the place after the last transaction.
// Where no named transaction has been applied ever, a place in the files is
// all there is to say.
func (p *progress) position(at place) rowferry.Position {
	return rowferry.Position(p.appendPosition(nil, at))
}

func (p *progress) appendPosition(dst []byte, at place) []byte {
	switch {
	case p.naming == byGTID && !p.applied.empty():
		return p.applied.append(dst)
	case p.naming == byDomain && len(p.domains) > 0:
		return p.domains.append(dst)
	default:
		return at.append(dst)
	}
}

func (n *txName) naming() naming {
	switch {
	case !n.named:
		return byFile
	case n.domain != (domainGTID{}):
		return byDomain
	default:
		return byGTID
	}
}
