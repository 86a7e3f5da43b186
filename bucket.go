package rowferry

import "time"

// bucket holds rows that may be written: it fills by so many a second and holds
// those of a second. What is written is taken out whole, so it may come to owe,
// and then nothing more is begun until it has a row again. In any time T no more
// than rate × (T + 1s) rows are begun, and the rest of the last that was.
//
// Its zero value does not limit. It reads no clock, and is used under a lock.
type bucket struct {
	rate  int       // rows a second; 0: no limit
	level float64   // rows; negative where it owes
	at    time.Time // when level was so
}

// set changes the rate. What is owed under the former one is forgotten, and so is
// what was saved: a bucket that did not limit begins full.
func (b *bucket) set(now time.Time, rate int) {
	if rate == b.rate {
		return
	}
	b.fill(now)
	if b.rate == 0 {
		b.level = float64(rate)
	}
	b.level = min(max(b.level, 0), float64(rate))
	b.rate, b.at = rate, now
}

// fill brings the level up to now.
func (b *bucket) fill(now time.Time) {
	if past := now.Sub(b.at); past > 0 {
		b.level = min(float64(b.rate), b.level+past.Seconds()*float64(b.rate))
		b.at = now
	}
}

// wait is how long there will be no row in it, 0 where there is one.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.rate <= 0 {
		return 0
	}
	b.fill(now)
	if b.level >= 1 {
		return 0
	}
	return max(time.Microsecond, time.Duration((1-b.level)/float64(b.rate)*float64(time.Second)))
}

// take takes rows out, whether they are there or not.
func (b *bucket) take(now time.Time, rows int) {
	if b.rate <= 0 {
		return
	}
	b.fill(now)
	b.level -= float64(rows)
}
