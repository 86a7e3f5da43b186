package mysql

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// domainGTID is one MariaDB transaction's name.
type domainGTID struct {
	domain, server uint32
	seq            uint64
}

func (g domainGTID) String() string { return string(g.append(nil)) }

func (g domainGTID) append(dst []byte) []byte {
	dst = append(strconv.AppendUint(dst, uint64(g.domain), 10), '-')
	dst = append(strconv.AppendUint(dst, uint64(g.server), 10), '-')
	return strconv.AppendUint(dst, g.seq, 10)
}

// domains is the last transaction of each MariaDB domain: a position. Without
// gtid_strict_mode sequence numbers may go backwards, so that only the exact
// GTID tells a place in its domain. The nil map is empty and may not be
// written to.
type domains map[uint32]domainGTID

func (d domains) has(g domainGTID) bool { return d[g.domain] == g && g != domainGTID{} }

// reaches reports whether d has come as far as o in each of its domains, in which numbers
// are taken to rise.
func (d domains) reaches(o domains) bool {
	for k, g := range o {
		if d[k].seq < g.seq {
			return false
		}
	}
	return true
}

// String prints the GTIDs by domain, as MariaDB prints gtid_binlog_pos.
func (d domains) String() string { return string(d.append(nil)) }

func (d domains) append(dst []byte) []byte {
	if len(d) == 1 {
		for _, g := range d {
			return g.append(dst)
		}
	}
	for i, k := range slices.Sorted(maps.Keys(d)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = d[k].append(dst)
	}
	return dst
}

// parseDomains reads what String prints, in any order and with spaces.
func parseDomains(text string) (domains, error) {
	d := domains{}
	for part := range strings.SplitSeq(text, ",") {
		g, err := parseDomainGTID(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if _, twice := d[g.domain]; twice {
			return nil, fmt.Errorf("domain %d is named twice", g.domain)
		}
		d[g.domain] = g
	}
	return d, nil
}

func parseDomainGTID(t string) (g domainGTID, err error) {
	bad := fmt.Errorf("%q is not a MariaDB GTID", t)
	f := strings.Split(t, "-")
	if len(f) != 3 {
		return g, bad
	}
	for _, x := range f {
		if len(x) > 1 && x[0] == '0' || strings.HasPrefix(x, "+") {
			return g, bad
		}
	}
	d, err1 := strconv.ParseUint(f[0], 10, 32)
	s, err2 := strconv.ParseUint(f[1], 10, 32)
	n, err3 := strconv.ParseUint(f[2], 10, 64)
	if cmp.Or(err1, err2, err3) != nil {
		return g, bad
	}
	return domainGTID{uint32(d), uint32(s), n}, nil
}

// logState is what MariaDB writes at the head of each file: of every domain
// the last transaction, and of every server in it the last one it wrote.
type logState struct {
	last    domains
	servers map[[2]uint32]uint64
}

func newLogState() logState {
	return logState{last: domains{}, servers: map[[2]uint32]uint64{}}
}

func (s *logState) add(g domainGTID) {
	s.last[g.domain] = g
	s.servers[[2]uint32{g.domain, g.server}] = g.seq
}

func (s *logState) clone() logState {
	return logState{last: maps.Clone(s.last), servers: maps.Clone(s.servers)}
}

// passed reports whether g was logged before the state was written, as far as
// the state tells: within one domain and server numbers are taken to rise,
// which is what the server itself relies on to find a file.
func (s *logState) passed(g domainGTID) bool {
	n, ok := s.servers[[2]uint32{g.domain, g.server}]
	return ok && n >= g.seq
}
