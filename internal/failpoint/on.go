//go:build failpoint

package failpoint

import (
	"os"
	"sync"
)

// Enabled tells whether the program was built with the tag.
const Enabled = true

var global = sync.OnceValue(func() *points {
	p, err := load(os.Getenv)
	if err != nil {
		panic("failpoint: " + err.Error())
	}
	return p
})

// Hit marks a named place and does there what the environment asks for. It is
// safe for concurrent use.
func Hit(name string) error { return global().hit(name) }

// On reports whether ROWFERRY_SABOTAGE contains the name.
func On(name string) bool { return global().sabotage[name] }
