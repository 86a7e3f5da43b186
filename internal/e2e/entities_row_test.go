package e2e

import (
	"fmt"
	"strings"
)

// key returns the values of a row's key, in the order of keyColumns.
func (r *entRow) key() (all []string) {
	for i, f := range r.table.refs {
		if f.inKey {
			all = append(all, r.refs[i].key()...)
		}
	}
	switch {
	case r.table.own == "":
		return all
	case r.table.text:
		return append(all, fmt.Sprintf("'k%d'", r.own))
	default:
		return append(all, fmt.Sprint(r.own))
	}
}

// where finds the row.
func (r *entRow) where() string {
	key := r.key()
	for i, c := range r.table.keyColumns() {
		key[i] = c + " = " + key[i]
	}
	return strings.Join(key, " AND ")
}

// set writes what the columns of a reference have.
func (r *entRow) set(i int) (all []string) {
	f, p := &r.table.refs[i], r.refs[i]
	if f.kind != "" {
		all = append(all, f.kind+" = '"+p.table.name+"'")
	}
	for c, v := range f.values(p) {
		all = append(all, f.cols[c]+" = "+v)
	}
	return all
}

func (f *entRef) values(p *entRow) []string {
	if p != nil {
		return p.key()
	}
	all := make([]string, len(f.cols))
	for i := range all {
		all[i] = "NULL"
	}
	return all
}

// tuple is the row as of an INSERT.
func (r *entRow) tuple() string {
	var all []string
	if r.table.own != "" {
		all = append(all, r.key()[len(r.key())-1])
	}
	for i := range r.table.refs {
		f := &r.table.refs[i]
		if f.kind != "" {
			all = append(all, "'"+r.refs[i].table.name+"'")
		}
		all = append(all, f.values(r.refs[i])...)
	}
	return fmt.Sprintf("(%s, '%s', 0, '%s')", strings.Join(all, ", "), r.uid, r.code)
}
