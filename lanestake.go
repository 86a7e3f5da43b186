package rowferry

import "context"

// take returns the next batch when the throttle lets it through. Nil where nothing
// is to be begun before a flight has landed.
func (l *lanes) take(ctx context.Context) (*batch, error) {
	if there, err := l.queue.await(); !there {
		return nil, err
	}
	t := l.engine.throttle
	if len(l.flights) > 0 {
		if !t.try() {
			return nil, nil
		}
	} else if _, err := t.begin(ctx, false, 0); err != nil {
		return nil, err
	}
	l.begun++
	bounds := l.engine.opts
	bounds.BatchRows = t.share(min(bounds.BatchRows, l.bearable), 1)
	b, err := l.queue.take(&bounds)
	if err != nil {
		return nil, err
	}
	t.wrote(b.rows())
	return b, nil
}

// applied says that a batch which was taken is applied, or that none of it is.
func (l *lanes) applied() {
	l.queue.applied()
	l.engine.throttle.done()
	l.begun--
}

// bear has the next batch be of so many rows that its notes are a quarter of what its
// rows may be, if it notes as much for each as one that noted so many bytes: they take
// several times that in memory, for each batch on its way. Rows that wait, and that set
// others free, have many.
func (l *lanes) bear(bytes, rows int) {
	most := l.engine.opts.BatchRows
	if bytes > 0 && rows > 0 {
		most = max(1, min(most, rows*(l.engine.opts.BatchBytes/4)/bytes))
	}
	l.bearable = most
}
