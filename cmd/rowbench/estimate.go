package main

import (
	"fmt"
	"io"
	"time"
)

// method is how rows are measured, and for how long.
type method struct {
	// measure yields the row's figures, on a stage that has its target.
	measure measurement
	// time is about how long clocks run, and how often a server is put back for
	// that.
	time func(r *row, o *options) (clock time.Duration, turns int)
}

// The methods there are.
var (
	byRatio    = method{measureRatio, ratioTime}
	byLatency  = method{measureLatency, func(_ *row, o *options) (time.Duration, int) { return times(3*o.turns, o.latencyTime()), 2 * o.turns }}
	byDecoding = method{measureDecoding, func(_ *row, o *options) (time.Duration, int) { return times(4*o.turns+4, o.time()/6), 0 }}
	byReading  = method{measureReading, func(_ *row, o *options) (time.Duration, int) { return times(o.turns+2, o.time()/6), 0 }}
	byCost     = method{measureCost, func(_ *row, o *options) (time.Duration, int) { return times(o.turns+3, o.aloneTime()), o.turns + 3 }}
	alone      = method{measureAlone, func(_ *row, o *options) (time.Duration, int) { return times(o.turns+2, o.aloneTime()), o.turns + 2 }}
	byTrips    = method{measureTrips, func(_ *row, o *options) (time.Duration, int) {
		n := o.turns*(1+len(trips)) + 2
		return times(n, o.tripTime()), n
	}}
	byCrowd = method{measureMany, func(_ *row, o *options) (time.Duration, int) {
		return times(2*o.turns+2, o.crowdTime()) + time.Duration(float64(tablesTime)*float64(o.crowd())/manyTables), 2*o.turns + 2
	}}
	byKeys = method{measureKeys, func(_ *row, o *options) (time.Duration, int) { return times(2*o.turns+2, o.tripTime()), 2*o.turns + 2 }}
	byMap  = method{measureMap, func(_ *row, o *options) (time.Duration, int) {
		return times(2*o.turns+2, o.crowdTime()) + scaled(mapTime, o.scale), 2*o.turns + 2
	}}
)

// What estimates rest on: a quiet machine of two cores, a log written about as
// fast as a replica applies it, and the figures that Rowferry is to reach.
const (
	openTime   = 15 * time.Second // of a group: servers and files
	fillTime   = 40 * time.Second // and its tables of full size
	beginTime  = 2 * time.Second  // of a turn: a server put back and started,
	checkTime  = 2 * time.Second  // tables of full size warmed before and compared after it
	writeTimes = 1.2              // for a log, in times a native turn's
	tablesTime = 4 * time.Minute  // for ten thousand tables, on both sides
	mapTime    = 8 * time.Minute  // for a large map, and turns with it
)

func times(n int, d time.Duration) time.Duration { return time.Duration(n) * d }

func scaled(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }

// ratioTime is that of turns on both sides, before them the trials, and the
// writing of the log.
func ratioTime(r *row, o *options) (clock time.Duration, turns int) {
	native := scaled(o.time(), headroom)
	ferry := scaled(native, 1/max(r.figure.reach, 0.5))
	return times(o.turns, native+ferry) + times(len(waysOf(r.source)), trialTime(o.time())) + scaled(o.time(), writeTimes), 2*o.turns + 1
}

// estimate is about how long a group takes.
func (g *group) estimate(o *options) time.Duration {
	sum := openTime + scaled(fillTime, o.scale)
	for _, r := range g.rows {
		clock, turns := r.method.time(r, o)
		// A turn that is longer has more to fetch, and to flush.
		sum += clock + clock/4 + times(turns, beginTime+scaled(checkTime, o.scale))
	}
	return sum
}

// printPlan names the rows, and says about how long they take together.
func printPlan(groups []*group, o *options, w io.Writer) {
	var sum time.Duration
	for _, g := range groups {
		sum += g.estimate(o)
		for _, r := range g.rows {
			fmt.Fprintln(w, r.name())
		}
	}
	fmt.Fprintf(w, "\nabout %v on a quiet machine of two cores\n", sum.Round(time.Minute))
}
