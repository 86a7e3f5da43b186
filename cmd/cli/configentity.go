package cli

import (
	"maps"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
)

// deleteModes are what a delete can come to in the target.
var deleteModes = []string{"hard", "soft", "skip"}

// entity changes the rules of a source table.
func (s *settings) entity(table string, change func(e *mapping.Entity)) {
	if s.entities == nil {
		s.entities = map[string]mapping.Entity{}
	}
	e := s.entities[table]
	change(&e)
	s.entities[table] = e
}

// entityText is a key of an entity that takes text.
func entityText(k key, set func(e *mapping.Entity, v string)) *key {
	k.set = func(s *settings, under []string, v string) {
		s.entity(under[0], func(e *mapping.Entity) { set(e, v) })
	}
	return &k
}

// entityKeys are the rules of one source table.
func entityKeys() []*key {
	return slices.Concat([]*key{
		{
			name: "to", example: "clients", check: checkTargetName,
			doc: "The table's name in the target.",
			set: func(s *settings, under []string, v string) { s.renames[under[0]] = v },
		},
		entityText(key{
			name: "where", example: `'country in ["DE", "FR"]'`, check: mapping.CheckExpression,
			doc: "The rows that the target has: those of which the expression is true. A row that comes to be one is inserted, and one that ceases to be is deleted. See [Rules for rows](../guides/staging.md#rules-for-rows).",
		}, func(e *mapping.Entity, v string) { e.Where = v }),
		{
			name: "columns", kind: namedKey, named: checkColumn, example: `{full_name: 'first + " " + last'}`,
			doc: "Columns whose values are computed, by their names in the target. One that the source has too is replaced.",
			each: &key{
				name: "column", check: mapping.CheckExpression, doc: "The expression. Text in quotes of its own, or a number, is a constant.",
				set: func(s *settings, under []string, v string) {
					s.entity(under[0], func(e *mapping.Entity) { e.Columns = with(e.Columns, under[1], v) })
				},
			},
		},
		entityText(key{
			name: "drop", kind: listKey, example: "[iban, notes]", check: checkColumn,
			doc: "Source columns that the target does not have. Keys, indexes and foreign keys over them are left out too.",
		}, func(e *mapping.Entity, v string) { e.Drop = append(e.Drop, v) }),
		{
			name: "rename", kind: namedKey, named: checkColumn, example: "{mail: email}",
			doc: "Names in the target, by source column.",
			each: &key{
				name: "column", check: checkColumn, doc: "The name in the target.",
				set: func(s *settings, under []string, v string) {
					s.entity(under[0], func(e *mapping.Entity) { e.Rename = with(e.Rename, under[1], v) })
				},
			},
		},
		{name: "provenance", kind: mappingKey, doc: "Columns that say where a row comes from.", keys: provenanceKeys()},
	}, lackKeys(), keyKeys(), []*key{
		entityText(key{
			name: "deletes", values: deleteModes, def: "hard",
			doc: "What a delete comes to. `hard`: the row is deleted. `soft`: `deleted_at` is set to the time of the delete, and is NULL again when a row of the same key is inserted. `skip`: the row stays as it was; a row of the same key that is inserted later meets it, and stops the pipeline.",
		}, func(e *mapping.Entity, v string) {
			if e.Deletes = mapping.Deletes(v); v == "hard" {
				e.Deletes = mapping.HardDeletes
			}
		}),
		entityText(key{
			name: "deleted_at", example: "gone_at", check: checkColumn,
			doc: "The target's column that soft deletes set, a timestamp. Without the key, `deleted_at`.",
		}, func(e *mapping.Entity, v string) { e.DeletedAt = v }),
		entityText(key{
			name: "on_reject", values: rejectModes, example: "quarantine",
			doc: "The same as `on_reject` of the pipeline, for this table alone.",
		}, func(e *mapping.Entity, v string) { e.OnReject = mapping.OnReject(v) }),
	})
}

// lackKeys are the rules about what source and target lack.
func lackKeys() []*key {
	return []*key{
		{
			name: "defaults", kind: namedKey, named: checkColumn, example: `{country: '"DE"'}`,
			doc: "What columns have in rows without a value for them, by their names in the target: where the source's column is NULL, or the source has no such column. The value is of the column's type. The summary counts such rows. In tables that Rowferry makes, such a column is NOT NULL.",
			each: &key{
				name: "column", check: mapping.CheckExpression, doc: "The expression, as under `columns`.",
				set: func(s *settings, under []string, v string) {
					s.entity(under[0], func(e *mapping.Entity) { e.Defaults = with(e.Defaults, under[1], v) })
				},
			},
		},
		entityText(key{
			name: "missing_columns", values: []string{"stop", "drop"}, def: "stop",
			doc: "What becomes of source columns that the target's table does not have. `stop`: the pipeline stops before it writes. `drop`: they are left out, with a warning for each, and the summary counts the rows that had a value. The table has to be there, and its columns are a part of the rules: where they change, so do these. See [What the target lacks](../guides/staging.md#what-the-target-lacks).",
		}, func(e *mapping.Entity, v string) {
			if e.MissingColumns = mapping.MissingColumns(v); v == "stop" {
				e.MissingColumns = mapping.StopAtMissing
			}
		}),
	}
}

func provenanceKeys() []*key {
	return []*key{
		entityText(key{
			name: "source", example: "src", check: checkColumn,
			doc: "The column that has the pipeline's name.",
		}, func(e *mapping.Entity, v string) { e.Source = v }),
		entityText(key{
			name: "key", example: "src_key", check: checkColumn,
			doc: "The column that has the row's key in the source, as text; of several columns, as a JSON list of texts.",
		}, func(e *mapping.Entity, v string) { e.Key = v }),
		entityText(key{
			name: "time", example: "src_time", check: checkColumn,
			doc: "The column that has when the source committed the row's last change. It is NULL for a row of a copy, until the row changes.",
		}, func(e *mapping.Entity, v string) { e.Time = v }),
	}
}

func with(m map[string]string, name, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[name] = value
	return m
}

func checkColumn(text string) error {
	if text == "" {
		return rowferry.Errorf(rowferry.CodeBadValue, "a column has a name")
	}
	return nil
}

// agreeEntities refuses rules of one table that contradict each other.
func (l *loader) agreeEntities() {
	for _, table := range slices.Sorted(maps.Keys(l.s.entities)) {
		_, err := mapping.New(mapping.Options{Entities: map[string]mapping.Entity{table: l.s.entities[table]}})
		for _, e := range problems(err) {
			if rowferry.CodeOf(e) != rowferry.CodeRuleRefused {
				continue // of one key, and told there
			}
			place := l.places["entities"]
			for _, k := range entityKeys() {
				if at := l.places[join(join("entities", table), k.name)]; at != nil {
					place = at
				}
			}
			l.locate(e, place)
		}
	}
}
