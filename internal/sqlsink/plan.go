package sqlsink

import (
	"github.com/rowferry/rowferry"
)

// PlanEach plans the table of each of the mutations, with what notice is told
// meanwhile; hear has the sink tell that. What refuses a table is part of its plan,
// and what keeps the target from answering is an error.
func PlanEach(shapes []rowferry.Mutation, hear func(notice func(string)), plan func(*rowferry.Mutation, *rowferry.TablePlan) error) ([]rowferry.TablePlan, error) {
	if err := OnlyShapes(shapes); err != nil {
		return nil, err
	}
	plans := make([]rowferry.TablePlan, len(shapes))
	for i := range shapes {
		p := &plans[i]
		hear(func(n string) { p.Notices = append(p.Notices, n) })
		err := plan(&shapes[i], p)
		switch code := rowferry.CodeOf(err); {
		case err == nil:
		case code == "" || code == rowferry.CodeInternal || code.Transient():
			return nil, err
		default:
			p.Refused = Blame(err, &shapes[i])
			p.Make, p.Complete, p.Declared = nil, nil, nil
		}
	}
	return plans, nil
}
