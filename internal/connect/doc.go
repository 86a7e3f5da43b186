// Package connect says how a database server is reached: the URL, where its
// password comes from, TLS, and a connection on which no wait is endless.
// Sources and sinks hand what it makes to their drivers.
package connect
