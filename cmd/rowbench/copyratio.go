package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// copySeconds is about how long a copy of full size takes on a machine of two
// cores.
const copySeconds = 75

// copyFigures are the project's, from its issue about copies.
var copyFigures = map[*rival]figure{
	mydumper: {reach: 1, aim: 1.3}, mariadbDump: {reach: 1, aim: 1.3}, pgcopydb: {reach: 1, aim: 1.3}, pgloader: {reach: 3, aim: 5},
}

// copyGroups are the copies, compared with those of others. The short form has
// one durability: a copy commits seldom.
func copyGroups(o *options) []*group {
	mysql := &group{source: testdb.MariaDB1011, work: mysqlCopies(), copies: true}
	postgres := &group{source: testdb.Postgres15, work: postgresCopies(), copies: true}
	durabilities := []durability{durable, relaxed}
	if o.short {
		durabilities = durabilities[:1]
	}
	for _, d := range durabilities {
		mysql.addCopy(testdb.MariaDB1011, mydumper, d)
		mysql.addCopy(testdb.MariaDB1011, mariadbDump, d)
		postgres.addCopy(testdb.Postgres15, pgcopydb, d)
	}
	for _, d := range durabilities { // last, since what is expected is read once for each kind of target
		mysql.addCopy(testdb.Postgres15, pgloader, d)
	}
	return []*group{mysql, postgres}
}

func (g *group) addCopy(target testdb.Kind, v *rival, d durability) {
	g.rows = append(g.rows, &row{
		source: g.source, target: target, workload: "copy " + v.name, durability: d, figure: copyFigures[v],
		method: method{v.measure, v.time},
	})
}

// time is that of a turn of each with every number of jobs, and of the others.
func (v *rival) time(r *row, o *options) (clock time.Duration, turns int) {
	one := scaled(copySeconds*time.Second, o.scale)
	tried := 0
	if len(v.jobs) > 1 {
		tried = len(v.jobs)
	}
	theirs := scaled(one, max(1, r.figure.reach))
	return times(o.turns, one+theirs) + times(tried, theirs), 2*o.turns + tried
}

// measure compares Rowferry's copy with the rival's at its fastest.
func (v *rival) measure(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	g := s.copies.goals[r.target]
	jobs, err := v.fastest(ctx, s, g, r.durability)
	if err != nil {
		return nil, err
	}
	e := newEntry(r)
	var theirs, ours []*passage
	var ratios []float64
	for range s.b.opts.turns {
		t, err := v.turn(ctx, s, g, r.durability, jobs, e)
		if err != nil {
			return nil, err
		}
		o, err := v.answer(ctx, s, g, r.durability, e)
		if err != nil {
			return nil, err
		}
		theirs, ours = append(theirs, t), append(ours, o)
		ratios = append(ratios, t.took.Seconds()/o.took.Seconds())
	}
	e.setRatio("rows a second, to the rival's", ratios)
	e.Log = &logSize{Rows: int(s.copies.rows)}
	e.Native, e.Rowferry = s.copies.side(theirs), s.copies.side(ours)
	e.Native.Options, e.Native.PeakAnonymous = v.by(jobs), 0 // that of a shell
	e.Figures = map[string]float64{"data and indexes at the source, MB": float64(s.copies.bytes) / 1e6}
	s.copies.figures(e.Figures, "rowferry", ours)
	s.copies.figures(e.Figures, v.name, theirs)
	return []*entry{e}, g.stop()
}

// fastest tries the rival's numbers of jobs.
func (v *rival) fastest(ctx context.Context, s *stage, g goal, d durability) (jobs int, err error) {
	if len(v.jobs) == 1 {
		return v.jobs[0], nil
	}
	var best time.Duration
	for _, n := range v.jobs {
		p, err := s.rivalPassage(ctx, v, g, d, n)
		if err != nil {
			return 0, err
		}
		if best == 0 || p.took < best {
			best, jobs = p.took, n
		}
	}
	return jobs, nil
}

// turn is one of the rival's that counts. The entry gets the target's settings.
func (v *rival) turn(ctx context.Context, s *stage, g goal, d durability, jobs int, e *entry) (*passage, error) {
	p, err := s.rivalPassage(ctx, v, g, d, jobs)
	if err != nil {
		return nil, err
	}
	e.Settings, err = settings(ctx, g.host())
	return p, err
}

// answer is one of Rowferry's turns: the target has to be like the source, and
// to have the settings that it had when the rival wrote there.
func (v *rival) answer(ctx context.Context, s *stage, g goal, d durability, e *entry) (*passage, error) {
	p, err := s.ferryPassage(ctx, g, d)
	if err != nil {
		return nil, err
	}
	all, err := settings(ctx, g.host())
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(e.Settings) {
		if all[name] != e.Settings[name] {
			return nil, fmt.Errorf("the rival's target has %s = %s, Rowferry's %s", name, e.Settings[name], all[name])
		}
	}
	return p, s.sameKeys(ctx, g)
}

// sameKeys reports an error unless a target has the source's indexes and foreign
// keys. Between kinds of servers only indexes are compared.
func (s *stage) sameKeys(ctx context.Context, g goal) error {
	want, err := keysOf(ctx, s.log.server)
	if err != nil {
		return err
	}
	got, err := keysOf(ctx, g.host())
	if err != nil {
		return err
	}
	if s.log.server.Kind.Flavor() != g.host().Kind.Flavor() {
		want, got = columnsOnly(want), columnsOnly(got)
	}
	for _, keys := range [][][2]string{want, got} {
		for i := range keys {
			keys[i][1] = strings.TrimSuffix(keys[i][1], " DEFERRABLE") // which Rowferry makes them
		}
	}
	if !slices.Equal(want, got) {
		return fmt.Errorf("the source has keys %v, the target %v", want, got)
	}
	return nil
}

// columnsOnly leaves out foreign keys, which the kinds of servers spell
// differently.
func columnsOnly(keys [][2]string) (left [][2]string) {
	for _, k := range keys {
		if !strings.Contains(k[1], " to ") && !strings.HasPrefix(k[1], "FOREIGN KEY") {
			left = append(left, k)
		}
	}
	return left
}

// side is what one side did in its turns.
func (c *copyStage) side(all []*passage) *side {
	s := &side{}
	var took []time.Duration
	var cpu []float64
	for _, p := range all {
		took, cpu = append(took, p.took), append(cpu, p.cpu.Seconds()*1e6/float64(c.rows))
		s.PeakAnonymous = max(s.PeakAnonymous, p.peak)
	}
	s.setTimes(int(c.rows), took)
	s.CPUSeconds = spreadOf(cpu)
	return s
}

// figures adds medians of one side's turns.
func (c *copyStage) figures(all map[string]float64, name string, of []*passage) {
	add := func(what string, value func(*passage) float64) {
		var values []float64
		for _, p := range of {
			values = append(values, value(p))
		}
		all[name+", "+what] = spreadOf(values).Median
	}
	perGB := func(d time.Duration) float64 { return d.Seconds() * 1e9 / float64(c.bytes) }
	add("MB/s", c.pace)
	add("its processor seconds, a GB", func(p *passage) float64 { return perGB(p.cpu) })
	add("the source's processor seconds, a GB", func(p *passage) float64 { return perGB(p.source) })
	add("the target's processor seconds, a GB", func(p *passage) float64 { return perGB(p.target) })
}
