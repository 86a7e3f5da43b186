package mysql

import (
	"slices"

	"github.com/rowferry/rowferry"
)

// mostMingled is how many rows an update of ever other columns has at most.
const mostMingled = 64

// mingled returns how many of the first mutations one statement may carry that
// writes all the columns which any of them changes, and those columns; 0 where
// there are not two. A row of which one of them keeps its value is given that
// value again, which only a row that has it is found by: the columns are among
// those whose old values are compared.
func (b *batch) mingled(t *target, ms []rowferry.Mutation) (n int, columns []int) {
	if !t.IsScattered() || !t.joins(rowferry.Update) {
		return 0, nil
	}
	for n < min(mostMingled, len(ms)) {
		m := &ms[n]
		if m.Op != rowferry.Update || !t.Of(m.Table) || !t.mayJoin(m) {
			break
		}
		both, ok := t.Mingles(columns, m)
		if !ok {
			break
		}
		columns = both
		n++
	}
	if n < 2 {
		return 0, nil
	}
	if n = t.fitting(ms[:n], columns); n < 2 {
		return 0, nil
	}
	return n, columns
}

// fitting returns of how many of the mutations the columns' values fit into one
// statement.
func (t *target) fitting(ms []rowferry.Mutation, columns []int) int {
	size, guarded := 0, t.GuardedWith(columns, &ms[0]) // of each, since Mingles took them
	for i := range ms {
		for _, o := range columns {
			size += ms[i].Before[o].Size() + ms[i].After[o].Size()
		}
		for _, o := range guarded {
			size += ms[i].Before[o].Size()
		}
		if size > rowBytes {
			return i
		}
	}
	return len(ms)
}

// mingle returns the statement, of one use, for updates that write the columns.
func (b *batch) mingle(t *target, ms []rowferry.Mutation, columns []int) *statement {
	class, _ := slices.BinarySearch(textClasses, t.longestText(ms))
	j := joinComposer{target: t, server: &b.sink.server, text: textClasses[class]}
	st := j.compose(rowferry.Update, columns, t.GuardedWith(columns, &ms[0]), len(ms))
	st.spelled = true
	return st
}
