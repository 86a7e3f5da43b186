package mysql

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// sid names a stream of MySQL GTIDs: a server's UUID and a tag, which is
// empty for untagged ones.
type sid struct {
	uuid [16]byte
	tag  string
}

func (s sid) compare(o sid) int {
	return cmp.Or(slices.Compare(s.uuid[:], o.uuid[:]), cmp.Compare(s.tag, o.tag))
}

func uuidText(u [16]byte) string { return string(appendUUID(nil, u)) }

// gtid is one MySQL transaction's name.
type gtid struct {
	sid
	gno uint64
}

func (g gtid) String() string { return string(g.append(nil)) }

func (g gtid) append(dst []byte) []byte {
	dst = append(appendUUID(dst, g.uuid), ':')
	if g.tag != "" {
		dst = append(append(dst, g.tag...), ':')
	}
	return strconv.AppendUint(dst, g.gno, 10)
}

// maxGNO is the largest transaction number MySQL gives.
const maxGNO = math.MaxInt64 - 1

// interval is lo to hi, both included.
type interval struct{ lo, hi uint64 }

// stream is the part of a set that belongs to one sid: intervals in order,
// neither touching nor overlapping.
type stream struct {
	sid
	ivs  []interval
	text string // the intervals as text; "" when they changed since
	told bool   // they were printed since they changed
}

// gtidSet is a set of MySQL GTIDs, tags and gaps included (M7, M8). The zero
// set is empty.
type gtidSet struct{ streams []stream }

func (s *gtidSet) find(k sid) (int, bool) {
	if len(s.streams) == 1 && s.streams[0].sid == k {
		return 0, true
	}
	return slices.BinarySearchFunc(s.streams, k, func(x stream, k sid) int { return x.sid.compare(k) })
}

func (s *gtidSet) empty() bool { return len(s.streams) == 0 }

func (s *gtidSet) clone() gtidSet {
	c := gtidSet{slices.Clone(s.streams)}
	for i := range c.streams {
		c.streams[i].ivs = slices.Clone(c.streams[i].ivs)
	}
	return c
}

func (s *gtidSet) contains(g gtid) bool {
	i, ok := s.find(g.sid)
	return ok && s.streams[i].covers(interval{g.gno, g.gno})
}

func (s *gtidSet) add(g gtid) { s.addInterval(g.sid, interval{g.gno, g.gno}) }

func (s *gtidSet) addInterval(k sid, iv interval) {
	i, ok := s.find(k)
	if !ok {
		s.streams = slices.Insert(s.streams, i, stream{sid: k})
	}
	s.streams[i].add(iv)
}

// remove takes one transaction out of the set.
func (s *gtidSet) remove(g gtid) {
	i, ok := s.find(g.sid)
	if !ok {
		return
	}
	s.streams[i].remove(g.gno)
	if len(s.streams[i].ivs) == 0 {
		s.streams = slices.Delete(s.streams, i, i+1)
	}
}

// subsetOf reports whether every transaction of s is in o.
func (s *gtidSet) subsetOf(o *gtidSet) bool {
	missing := s.minus(o)
	return missing.empty()
}

// minus returns the transactions of s that are not in o.
func (s *gtidSet) minus(o *gtidSet) gtidSet {
	var d gtidSet
	for _, x := range s.streams {
		i, ok := o.find(x.sid)
		if !ok {
			d.streams = append(d.streams, stream{sid: x.sid, ivs: slices.Clone(x.ivs)})
			continue
		}
		if left := subtract(x.ivs, o.streams[i].ivs); len(left) > 0 {
			d.streams = append(d.streams, stream{sid: x.sid, ivs: left})
		}
	}
	return d
}

func subtract(a, b []interval) []interval {
	var left []interval
	for _, x := range a {
		lo := x.lo
		for _, y := range b {
			if y.hi < lo {
				continue
			}
			if y.lo > x.hi {
				break
			}
			if y.lo > lo {
				left = append(left, interval{lo, y.lo - 1})
			}
			lo = y.hi + 1
		}
		if lo <= x.hi {
			left = append(left, interval{lo, x.hi})
		}
	}
	return left
}

// at returns the index of the first interval that ends at or after gno.
func (x *stream) at(gno uint64) int {
	if n := len(x.ivs); n > 0 && x.ivs[n-1].lo <= gno {
		if x.ivs[n-1].hi < gno {
			return n
		}
		return n - 1 // the usual case: the newest
	}
	i, _ := slices.BinarySearchFunc(x.ivs, gno, func(v interval, g uint64) int { return cmp.Compare(v.hi, g) })
	return i
}

func (x *stream) covers(iv interval) bool {
	i := x.at(iv.lo)
	return i < len(x.ivs) && x.ivs[i].lo <= iv.lo && iv.hi <= x.ivs[i].hi
}

func (x *stream) add(iv interval) {
	if x.covers(iv) {
		return
	}
	x.text, x.told = "", false
	i := x.at(iv.lo)
	if n := len(x.ivs); i == n && n > 0 && x.ivs[n-1].hi+1 == iv.lo {
		x.ivs[n-1].hi = iv.hi // the usual case: the next
		return
	}
	if i > 0 && x.ivs[i-1].hi+1 == iv.lo {
		i--
	}
	j := i
	for j < len(x.ivs) && x.ivs[j].lo <= iv.hi+1 {
		iv = interval{min(iv.lo, x.ivs[j].lo), max(iv.hi, x.ivs[j].hi)}
		j++
	}
	x.ivs = slices.Replace(x.ivs, i, j, iv)
}

func (x *stream) remove(gno uint64) {
	if x.covers(interval{gno, gno}) {
		x.text, x.told = "", false
		x.ivs = subtract(x.ivs, []interval{{gno, gno}})
	}
}

// append prints the intervals. It keeps the text from the second time on: a
// stream that grows has another one each time.
func (x *stream) append(dst []byte) []byte {
	if x.text != "" {
		return append(dst, x.text...)
	}
	start := len(dst)
	for i, v := range x.ivs {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = strconv.AppendUint(dst, v.lo, 10)
		if v.hi > v.lo {
			dst = append(dst, '-')
			dst = strconv.AppendUint(dst, v.hi, 10)
		}
	}
	if x.told {
		x.text = string(dst[start:])
	}
	x.told = true
	return dst
}

// String prints the set as MySQL does: UUIDs in order, the untagged
// transactions of each first, then its tags in order.
func (s *gtidSet) String() string { return string(s.append(nil)) }

func (s *gtidSet) append(dst []byte) []byte {
	for i := range s.streams {
		x := &s.streams[i]
		if i == 0 || s.streams[i-1].uuid != x.uuid {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendUUID(dst, x.uuid)
		}
		dst = append(dst, ':')
		if x.tag != "" {
			dst = append(append(dst, x.tag...), ':')
		}
		dst = x.append(dst)
	}
	return dst
}

// parseGTIDSet reads what String prints, in any order and with spaces.
func parseGTIDSet(text string) (gtidSet, error) {
	var s gtidSet
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if err := s.parsePart(part); err != nil {
			return gtidSet{}, err
		}
	}
	if s.empty() {
		return s, fmt.Errorf("an empty GTID set")
	}
	return s, nil
}

func (s *gtidSet) parsePart(part string) error {
	fields := strings.Split(part, ":")
	u, err := parseUUID(strings.TrimSpace(fields[0]))
	if err != nil {
		return err
	}
	k, filled := sid{uuid: u}, false
	for _, f := range fields[1:] {
		f = strings.TrimSpace(f)
		if tag := strings.ToLower(f); validTag(tag) {
			if !filled && k.tag != "" {
				return fmt.Errorf("tag %q has no transactions", k.tag)
			}
			k.tag, filled = tag, false
			continue
		}
		iv, err := parseInterval(f)
		if err != nil {
			return err
		}
		s.addInterval(k, iv)
		filled = true
	}
	if !filled {
		return fmt.Errorf("%q names no transactions", part)
	}
	return nil
}

func parseUUID(t string) (u [16]byte, err error) {
	ok := len(t) == 36 && t[8] == '-' && t[13] == '-' && t[18] == '-' && t[23] == '-'
	if !ok {
		return u, fmt.Errorf("%q is not a server's UUID", t)
	}
	if n, err := hex.Decode(u[:], []byte(strings.ReplaceAll(t, "-", ""))); err != nil || n != 16 {
		return u, fmt.Errorf("%q is not a server's UUID", t)
	}
	return u, nil
}

// validTag reports whether t is a GTID tag: a letter or underscore, then up
// to 31 letters, digits or underscores, in lower case.
func validTag(t string) bool {
	if t == "" || len(t) > 32 || t[0] >= '0' && t[0] <= '9' {
		return false
	}
	return strings.IndexFunc(t, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) < 0
}

func parseInterval(t string) (interval, error) {
	first, last, ranged := strings.Cut(t, "-")
	lo, err := strconv.ParseUint(strings.TrimSpace(first), 10, 64)
	hi := lo
	if err == nil && ranged {
		hi, err = strconv.ParseUint(strings.TrimSpace(last), 10, 64)
	}
	if err != nil || lo < 1 || hi < lo || hi > maxGNO {
		return interval{}, fmt.Errorf("%q is not an interval of transactions", t)
	}
	return interval{lo, hi}, nil
}
