// Package checkpoint keeps a pipeline's own durable record in one directory:
// it implements rowferry.State and rowferry.Spool on Badger and segment files.
//
// It owns the directory's lock, its format, the versions written by each
// batch, and the overflow files. It does not decide how far a pipeline is: on
// a target with transactions that is the target's row alone.
//
//	DIR/        mode 0700, refused when wider
//	  FORMAT    JSON: format version, state id, pipeline, when it was made
//	  LOCK      flock'ed while the directory is in use; JSON: pid, since when
//	  CLOSED    what was there at the last clean shutdown; gone while in use
//	  reserve   4 MiB, given up when the disk is full, so that Close can finish
//	  badger/   the versions
//	  spool/    overflow of running transactions; emptied when opened
//
// Every Record writes its keys tagged with the checkpoint's sequence and, last
// and in one Badger transaction, the sequence's marker. Without the marker a
// version does not exist: Load ignores it and the next Open removes it. Each
// marker names its predecessor and counts the table shapes so far, so that a
// version lost from the middle is found when the directory is opened.
//
// Notes stand under plain keys, so that one read finds one, those that are many and
// small together with their neighbours (pack.go). They are set in steps:
// Badger transactions that each also have what its notes were. What a sequence
// without a marker did to them is undone by the next Open, or by DiscardAfter;
// the marker counts the steps, so that a lost one is found. Notes themselves are
// never gone through, but for packs, until the memory for notes is full.
//
// Kept are all shapes and rules, and the last 1,000 checkpoints: that many
// batches back the target may be rewound and still be recognised. What is
// superseded is deleted by the Record that supersedes it and leaves the disk
// with Badger's next compactions.
package checkpoint
