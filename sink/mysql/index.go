package mysql

import (
	"fmt"
	"slices"
	"strings"

	dialect "github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// mostKeyBytes is the longest key of InnoDB
// (https://dev.mysql.com/doc/refman/9.7/en/innodb-limits.html).
const mostKeyBytes = 3072

// fitIndexes returns the indexes of a shape of MySQL's types as the target can have
// them, and what of the others there is to say. A text without a length, or one that
// is too long for a key, is indexed by as many characters as there is room for: no
// index refuses a row.
func (s *Sink) fitIndexes(t *schema.Table) (fit []schema.Index, others []string) {
	others = slices.Clip(t.OtherIndexes)
	for _, x := range t.Indexes {
		if f, why := s.fitIndex(t, x); why == "" {
			fit = append(fit, f)
		} else {
			others = append(others, "index "+x.Name+", "+why)
		}
	}
	return fit, others
}

// unlimited stands for the length of a text that has none.
const unlimited = 1 << 24

func (s *Sink) fitIndex(t *schema.Table, x schema.Index) (fit schema.Index, why string) {
	lengths, units := make([]int, len(x.Columns)), make([]int, len(x.Columns))
	size, fixed, flexible := 0, 0, 0
	for i, o := range x.Columns {
		c := t.Columns[o]
		if c.Type.Kind == schema.JSON && c.Type.Charset == "" && !s.server.MariaDB {
			return x, "since MySQL does not sort JSON, which " + c.Name + " is"
		}
		if lengths[i], units[i] = s.keyLength(c.Type); units[i] == 0 {
			size, fixed = size+lengths[i], fixed+lengths[i]
			continue
		}
		if x.Prefix != nil && x.Prefix[i] > 0 {
			lengths[i] = x.Prefix[i]
		}
		size, flexible = size+lengths[i]*units[i], flexible+1
	}
	if size <= mostKeyBytes {
		return x, ""
	}
	fit = x
	fit.Prefix = make([]int, len(x.Columns))
	for i := range x.Columns {
		if units[i] == 0 {
			continue
		}
		fit.Prefix[i] = min(lengths[i], (mostKeyBytes-fixed)/flexible/units[i])
		if fit.Prefix[i] < 1 {
			return x, "which has more columns than a key has room for"
		}
		if fit.Prefix[i] == t.Columns[x.Columns[i]].Type.Length {
			fit.Prefix[i] = 0
		}
	}
	return fit, ""
}

// keyLength returns how long a value may be in a key: in characters of up to so
// many bytes where a prefix of it can be indexed, else in bytes, with a unit of 0.
func (s *Sink) keyLength(t schema.Type) (length, unit int) {
	switch t.Kind {
	case schema.Char, schema.VarChar, schema.Text:
		clause, _ := s.server.Collation(t)
		charset, _, _ := strings.Cut(strings.TrimPrefix(clause, "CHARACTER SET "), " ")
		if t.Kind == schema.Text {
			return unlimited, dialect.MaxBytes(charset)
		}
		return t.Length, dialect.MaxBytes(charset)
	case schema.JSON: // a text
		return unlimited, dialect.MaxBytes("utf8mb4")
	case schema.Blob:
		return unlimited, 1
	case schema.Binary, schema.VarBinary:
		return t.Length, 1
	case schema.UUID, schema.Inet4, schema.Inet6:
		return 48, 0
	case schema.Decimal:
		return 32, 0
	default:
		return 8, 0
	}
}

// refusedIndex returns what the server says of an index that it does not take for
// what it is over, or "".
func refusedIndex(err error) string {
	return refusal(err, 1069, 1070, 1071, 1089, 1167, 1170, 1709, 3152)
}

// indexes adds those of the keys that refuse no row, one by one, and tells of those
// that the server does not take.
func (p *preparation) indexes(t *schema.Table, keys []tableKey) error {
	for _, k := range keys {
		if !k.plain {
			continue
		}
		err := p.alter(t, "ADD "+k.clause)
		if why := refusedIndex(err); why != "" {
			p.sink.notice(fmt.Sprintf("table %s is without the %s: the target refuses it: %s", t.Name, k.what, why))
			continue
		}
		if err := p.altered(err, t); err != nil {
			return err
		}
	}
	return nil
}
