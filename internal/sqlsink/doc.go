// Package sqlsink is what the sinks that speak SQL have in common: what a row
// image needs, which mutation an error is about, the checkpoint row, what makes
// an existing table unfit, and a bounded set of prepared statements. It writes
// no SQL and knows no driver.
package sqlsink
