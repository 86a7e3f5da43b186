package mysql

// convertPartition makes a table out of a partition, or the other way around.
func (p *parser) convertPartition(a *alteration) ([]Effect, error) {
	e := Effect{Kind: Created, Table: a.with, Before: p.cat.Table(a.with), Detail: a.rows}
	switch from := p.cat.tables[a.table]; {
	case a.takes:
		p.cat.forget(a.with)
		e.Kind = Dropped
	case !a.makes:
		return nil, nil
	case from == nil:
		p.cat.forget(a.with)
	default:
		d := from.draft.clone()
		d.rename(a.with)
		var err error
		if e.After, err = p.cat.put(d); err != nil {
			return nil, err
		}
	}
	return []Effect{e}, nil
}
