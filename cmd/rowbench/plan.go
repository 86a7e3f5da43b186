package main

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry/internal/testdb"
)

// row is one line of the table: a figure, and what it is measured on.
type row struct {
	source, target testdb.Kind
	workload       string
	durability     durability
	figure         figure
	// native tells that the native replica is measured too.
	native bool
	method
}

// measurement yields a row's figures, on a stage that has its target.
type measurement func(ctx context.Context, s *stage, r *row) ([]*entry, error)

// figure is what a ratio is to be. Zero values are figures nobody has asked
// for.
type figure struct {
	reach, aim float64
	lower      bool // less is better
}

// pair is empty of a target where only reading is measured.
func (r *row) pair() string {
	if r.target == "" {
		return label(r.source)
	}
	return label(r.source) + " → " + label(r.target)
}

// label is a kind's name for people.
func label(k testdb.Kind) string {
	if k == sqliteKind {
		return "SQLite"
	}
	switch k.Flavor() {
	case testdb.MySQL:
		return "MySQL"
	case testdb.MariaDB:
		return "MariaDB"
	case testdb.Postgres:
		return "PostgreSQL"
	default:
		return string(k)
	}
}

// name names the row in the book and for -run.
func (r *row) name() string {
	pair := string(r.source)
	if r.target != "" {
		pair += "-" + string(r.target)
	}
	return strings.ReplaceAll(strings.TrimSuffix(pair+"/"+r.workload+"/"+string(r.durability), "/"), " ", "-")
}

// group is the rows that one source and its log serve, in the order they are
// measured: those that need a short log first, since a log only grows.
type group struct {
	source testdb.Kind
	work   *workload
	rows   []*row
	copies bool // what is there is copied, and no log is written
	kept   bool // rows that get keys of the target's own are brought with the source's as well
}

// figures of throughput: how many times the native replica's. They are the
// project's, from its issues about catching up and about PostgreSQL's log.
var figures = map[testdb.Flavor]map[string]map[durability]figure{
	testdb.MariaDB: {
		"oltp": {durable: {reach: 4, aim: 6}, relaxed: {reach: 1.3, aim: 1.7}},
		"hot":  {durable: {reach: 12, aim: 20}, relaxed: {reach: 2, aim: 2.5}},
		"bulk": {durable: {reach: 0.65, aim: 1}, relaxed: {reach: 0.65, aim: 1}},
		"fk":   {durable: {reach: 2, aim: 4}, relaxed: {reach: 1, aim: 1.5}},
		"wide": {durable: {reach: 2, aim: 4}, relaxed: {reach: 1, aim: 1.5}},
	},
	testdb.MySQL: {
		"oltp": {durable: {reach: 5, aim: 8}, relaxed: {reach: 3, aim: 5}},
		"hot":  {durable: {reach: 12, aim: 20}, relaxed: {reach: 10, aim: 15}},
		"bulk": {durable: {reach: 0.9, aim: 1.2}, relaxed: {reach: 0.9, aim: 1.2}},
		"fk":   {durable: {reach: 2, aim: 4}, relaxed: {reach: 1.5, aim: 2}},
		"wide": {durable: {reach: 2, aim: 4}, relaxed: {reach: 1.5, aim: 2}},
	},
	testdb.Postgres: {
		"oltp": {durable: {reach: 4, aim: 6}, relaxed: {reach: 1.3, aim: 1.6}},
		"hot":  {durable: {reach: 4, aim: 6}, relaxed: {reach: 0.9, aim: 1.2}},
		"bulk": {durable: {reach: 0.9, aim: 1.2}, relaxed: {reach: 0.9, aim: 1.2}},
	},
}

// plan is everything that is measured. The short form leaves out what says the
// same as another row.
func plan(o *options) []*group {
	var all []*group
	for _, source := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		for _, w := range workloads() {
			all = append(all, workloadGroup(source, w, o))
		}
	}
	for _, w := range postgresWorkloads() {
		all = append(all, postgresGroup(testdb.Postgres15, w, o))
	}
	return slices.Concat(all, []*group{manyGroup(testdb.MariaDB1011, o)}, keyGroups(o), copyGroups(o))
}

// postgresGroup is what is measured on a workload's log of PostgreSQL.
func postgresGroup(source testdb.Kind, w *workload, o *options) *group {
	g := &group{source: source, work: w}
	if !o.short {
		g.rows = append(g.rows,
			&row{source: source, target: source, workload: "cost " + w.name, durability: relaxed, method: byCost},
			&row{source: source, workload: "decode " + w.name, method: byReading})
	}
	g.addRatios()
	return g
}

// addRatios has the native replica compared with, both durabilities.
func (g *group) addRatios() {
	for _, d := range []durability{durable, relaxed} {
		g.rows = append(g.rows, &row{
			source: g.source, target: g.source, workload: g.work.name, durability: d, native: true,
			figure: figures[g.source.Flavor()][g.work.name][d], method: byRatio,
		})
	}
}

// workloadGroup is what is measured on a workload's log.
func workloadGroup(source testdb.Kind, w *workload, o *options) *group {
	g := &group{source: source, work: w}
	add := func(target testdb.Kind, name string, d durability, m method) {
		g.rows = append(g.rows, &row{source: source, target: target, workload: name, durability: d, method: m})
	}
	oltp, mariadb := w.name == "oltp", source.Flavor() == testdb.MariaDB
	if oltp && (mariadb || !o.short) {
		add(source, "latency", relaxed, byLatency)
		g.rows[0].native = true
	}
	if mariadb && (oltp || !o.short) {
		add(testdb.Postgres15, w.name, durable, alone)
		add(testdb.Postgres15, w.name, relaxed, alone)
		add(sqliteKind, w.name, durable, alone)
	}
	if oltp && (mariadb || !o.short) {
		add(source, "rtt", relaxed, byTrips)
	}
	if slices.Contains([]string{"oltp", "hot", "bulk"}, w.name) {
		if !o.short || oltp && mariadb {
			add(source, "cost "+w.name, relaxed, byCost)
		}
		if !o.short || mariadb {
			add("", "decode "+w.name, "", byDecoding)
		}
	}
	g.addRatios()
	return g
}

// manyGroup is what is measured among many tables: fewer in the short form,
// which would spend its time on making them.
func manyGroup(source testdb.Kind, o *options) *group {
	return &group{source: source, work: many(o.crowd()), rows: []*row{{
		source: source, target: source, workload: "many tables", durability: relaxed, figure: figure{reach: manyReach, lower: true}, method: byCrowd,
	}}}
}

// crowd is how many tables there are that do not change.
func (o *options) crowd() int {
	tables := float64(manyTables) * min(1, o.scale)
	if o.short {
		tables /= 10
	}
	return int(tables)
}
