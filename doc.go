// Package rowferry carries row changes out of a database's own log into
// another database, in order, exactly once.
//
// The nouns: a Source reads one log and emits transactions (Tx) made of row
// Changes. A Handler turns each change into Mutations on target tables. A
// Batch of consecutive transactions is applied by a Sink in one target
// transaction that ends with the Checkpoint. The State is the engine's own
// durable record beside it. An Engine runs one pipeline: one source, one
// handler, one sink, one state.
//
// The path of a row is one way: Source → Tx → batch → Handler → Mutation →
// Sink, and only positions flow back. The guarantees:
//
//   - A target with transactions alone decides how far the pipeline is: the
//     position is committed with the rows it covers.
//   - Within a key, source order. Every committed state of the target is a
//     state the source had at the end of one of its transactions.
//   - Nothing is skipped. What is not understood, or what the target refuses,
//     stops the pipeline by name before anything later is applied.
//
// This package declares the contracts (x.go) that the folders implement (x/)
// and holds the engine. It imports no driver.
package rowferry
