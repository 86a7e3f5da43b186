// Package mapping says what a change to one source table becomes in the
// target: which tables are in scope, what they are called there, and, in
// NewHandler, the mutations themselves. Handlers of somebody's own are in custom.go.
package mapping
