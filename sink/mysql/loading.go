package mysql

import (
	"slices"
	"sync"

	"github.com/rowferry/rowferry/schema"
)

// loading are the tables that are being loaded: PrepareLoad was given them, and
// Complete has not completed them. It is safe for concurrent use.
type loading struct {
	mu      sync.Mutex
	tables  map[schema.Name]bool // by place, as the server compares it
	version int
}

func (l *loading) has(place schema.Name) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tables[place]
}

// changes returns how often the tables changed.
func (l *loading) changes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version
}

// set adds or removes tables, and returns those for which that was news.
func (l *loading) set(places []schema.Name, loaded bool) (news []schema.Name) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tables == nil {
		l.tables = map[schema.Name]bool{}
	}
	for _, p := range places {
		if l.tables[p] == loaded {
			continue
		}
		news = append(news, p)
		if loaded {
			l.tables[p] = true
		} else {
			delete(l.tables, p)
		}
	}
	if len(news) > 0 {
		l.version++
	}
	return news
}

// loads reports whether the table at a place is being loaded.
func (s *Sink) loads(place schema.Name) bool { return s.loading.has(s.server.foldName(place)) }

// bareShape returns the shape of a table as it is while it is loaded: with no
// more than the key by which rows are found.
func bareShape(t *schema.Table) *schema.Table {
	identity := t.Identity()
	b := t.WithName(t.Name)
	b.ForeignKeys, b.Uniques = nil, nil
	if identity == nil || slices.Equal(identity, t.PrimaryKey) {
		return b
	}
	b.PrimaryKey = nil
	b.Uniques = []schema.Index{{Columns: identity}}
	return b
}
