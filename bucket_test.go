package rowferry

import (
	"testing"
	"time"
)

// TestBucket writes parts of many sizes as soon as they may be, in simulated time:
// never more than the rate in any time but for the second that is saved and the
// part that was begun last, and never less.
func TestBucket(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rate  int
		sizes []int // in turn
	}{
		{"single rows", 10, []int{1}},
		{"parts of a second", 1000, []int{100, 250, 7}},
		{"much larger than the bucket", 50, []int{5000}},
		{"mixed", 1000, []int{1, 20_000, 3, 999, 0}},
		{"one a second", 1, []int{2, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begun := time.Unix(1, 0)
			now, largest, written := begun, 0, 0
			var b bucket
			b.set(now, tt.rate)
			type part struct {
				at   time.Time
				rows int
			}
			var parts []part
			for i := range 2000 {
				for wait := b.wait(now); wait > 0; wait = b.wait(now) {
					now = now.Add(wait)
				}
				rows := tt.sizes[i%len(tt.sizes)]
				b.take(now, rows)
				parts = append(parts, part{now, rows})
				largest, written = max(largest, rows), written+rows
			}
			for from := 0; from < len(parts); from += 97 {
				sum := 0
				for _, p := range parts[from:] {
					sum += p.rows
					if most := float64(tt.rate)*(p.at.Sub(parts[from].at).Seconds()+1) + float64(largest); float64(sum) > most {
						t.Fatalf("%d rows in %s from %s on, more than %.0f", sum, p.at.Sub(parts[from].at), parts[from].at.Sub(begun), most)
					}
				}
			}
			if least := float64(tt.rate) * now.Sub(begun).Seconds(); float64(written) < least {
				t.Errorf("%d rows in %s, which is less than the rate", written, now.Sub(begun))
			}
		})
	}
}

// TestBucketChanges: a new rate forgets what is owed and what is saved, the same one
// nothing, and none holds nothing back.
func TestBucketChanges(t *testing.T) {
	now := time.Unix(1, 0)
	var b bucket
	b.take(now, 1000)
	if wait := b.wait(now); wait != 0 {
		t.Errorf("no limit: %s", wait)
	}
	b.set(now, 100)
	b.take(now, 1100)
	if wait := b.wait(now).Round(time.Millisecond); wait != 10*time.Second+10*time.Millisecond {
		t.Errorf("1000 rows are owed at 100 a second: %s", wait)
	}
	b.set(now, 100)
	if wait := b.wait(now).Round(time.Millisecond); wait != 10*time.Second+10*time.Millisecond {
		t.Errorf("the same limit again: %s", wait)
	}
	b.set(now, 10)
	if wait := b.wait(now).Round(time.Millisecond); wait != 100*time.Millisecond {
		t.Errorf("another limit: %s", wait)
	}
	now = now.Add(time.Hour)
	b.take(now, 10)
	if wait := b.wait(now); wait == 0 {
		t.Error("more than a second was saved")
	}
	b.set(now, 0)
	if wait := b.wait(now); wait != 0 {
		t.Errorf("no limit any more: %s", wait)
	}
}
