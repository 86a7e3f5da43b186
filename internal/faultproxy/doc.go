// Package faultproxy is a TCP proxy for tests that breaks what passes through
// it: between the engine and a source, or between the engine and a target.
//
// A Shape changes how bytes pass in one Direction, from now on and on all
// connections: stalls, losses, delays. Cut resets connections now; traps, set by
// the At methods, strike one connection once, at a byte, after a pattern, or at
// the COMMIT of a transaction, which the proxy recognises in the protocols of
// MySQL and PostgreSQL as long as they are not encrypted or compressed. A Hold
// keeps one statement on its way. Refuse closes the door to new connections.
//
// What is random is drawn from a seed, apart for each connection, in order.
package faultproxy
