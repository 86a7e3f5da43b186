package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rowferry/rowferry/internal/faultproxy"
)

// How long a turn lasts that has no native one beside it: a part of a native
// turn's time, but not so little that starting is most of it. Starting takes
// many round trips.
func (o *options) aloneTime() time.Duration { return min(o.time(), max(o.time()/12, 2*time.Second)) }
func (o *options) tripTime() time.Duration  { return min(o.time(), max(o.time()/6, 3*time.Second)) }

// stretch makes the log so long that Rowferry takes that time alone.
func (s *stage) stretch(ctx context.Context, f *ferry, d durability, goal time.Duration) error {
	if err := s.log.grow(ctx, int(float64(s.log.work.guess)*min(1, goal.Seconds()))); err != nil {
		return err
	}
	for {
		v, err := f.turn(ctx, d, 0)
		if err != nil {
			return err
		}
		if v.took >= goal {
			return nil
		}
		factor := min(10, goal.Seconds()/v.took.Seconds()*headroom)
		if err := s.log.grow(ctx, int(float64(s.log.rows)*factor)+1); err != nil {
			return err
		}
	}
}

// measureAlone has no native replica to compare with.
func measureAlone(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	f := s.ferries[r.target]
	if err := s.stretch(ctx, f, r.durability, s.b.opts.aloneTime()); err != nil {
		return nil, err
	}
	var voyages []*voyage
	for range s.b.opts.turns {
		v, err := s.ferryTurn(ctx, f, r.durability, 0, nil)
		if err != nil {
			return nil, err
		}
		voyages = append(voyages, v)
	}
	e := newEntry(r)
	e.setRowferry(s.log, voyages)
	return []*entry{e}, nil
}

// Round trips between Rowferry and its target that are tried, and which share
// of the rate without delay is asked for.
var trips = []struct {
	delay time.Duration
	reach float64
}{{time.Millisecond, 0}, {10 * time.Millisecond, 0.8}, {50 * time.Millisecond, 0.5}}

// measureTrips compares Rowferry's rates with delays with the one without, all
// through the same proxy.
func measureTrips(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	f := s.ferries[r.target]
	if err := s.stretch(ctx, f, r.durability, s.b.opts.tripTime()); err != nil {
		return nil, err
	}
	proxy, err := faultproxy.New(fmt.Sprintf("127.0.0.1:%d", f.goal.host().Port), faultproxy.Opaque, 1)
	if err != nil {
		return nil, err
	}
	defer proxy.Close()
	var without []*voyage
	with := make([][]*voyage, len(trips))
	turn := func(delay time.Duration) (*voyage, error) {
		proxy.ShapeBoth(faultproxy.Shape{Delay: delay / 2})
		s.b.say("  %v between Rowferry and the target", delay)
		return s.ferryTurn(ctx, f, r.durability, proxy.Port, nil)
	}
	for range s.b.opts.turns {
		v, err := turn(0)
		if err != nil {
			return nil, err
		}
		without = append(without, v)
		for i, trip := range trips {
			if v, err = turn(trip.delay); err != nil {
				return nil, err
			}
			with[i] = append(with[i], v)
		}
	}
	var all []*entry
	for i, trip := range trips {
		one := *r
		one.workload = fmt.Sprintf("rtt %v", trip.delay)
		one.figure = figure{reach: trip.reach}
		e := newEntry(&one)
		var ratios []float64
		for k, v := range with[i] {
			ratios = append(ratios, without[k].took.Seconds()/v.took.Seconds())
		}
		e.setRatio("rows a second, to Rowferry's own without delay", ratios)
		e.setRowferry(s.log, with[i])
		e.Figures = map[string]float64{"without delay, rows/s": ferrySide(s.log, without).RowsPerSecond.Median}
		all = append(all, e)
	}
	return all, nil
}
