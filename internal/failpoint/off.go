//go:build !failpoint

package failpoint

// Enabled tells whether the program was built with the tag.
const Enabled = false

// Hit marks a named place. It returns nil in this build.
func Hit(string) error { return nil }

// On reports whether the named sabotage is asked for: never in this build.
func On(string) bool { return false }
