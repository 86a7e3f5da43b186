// Package testdb starts real database servers for tests: private, on loopback,
// each with its own data directory, port and socket.
//
// A Kind names a server, scripts/servers installs it, Launch starts one and
// Start is Launch for a test. A server that cannot be had fails the test with
// the command that installs it; it never skips. Two tests share a server when
// they ask for the same one and the package's TestMain calls Main; each takes a
// database of its own with NewDatabase.
//
// Linux only, as root: servers of another Debian release run in a chroot.
package testdb
