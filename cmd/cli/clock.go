package cli

import "time"

// clock is the program's only source of time, so that tests can stand still.
type clock interface {
	Now() time.Time
	// Tick sends about every d until stop is called.
	Tick(d time.Duration) (c <-chan time.Time, stop func())
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Tick(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}
