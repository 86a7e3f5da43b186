package cli

import (
	"context"
	"math"

	"github.com/rowferry/rowferry"
)

func runCommand() *command {
	return &command{
		name:    "run",
		summary: "copy what a server has, then follow it",
		about: "Where there is no checkpoint yet, copies the tables as they are, without a lock, while they are written to; then applies every change in the order of the source's log, in groups, and records the position in the same target transaction. The same command again goes on where the last one stopped, in the middle of a copy too: nothing is lost and nothing is applied twice. --from starts in the log, without a copy.\n\n" +
			"Tables that are copied need a key, and the target's must be empty or missing. Their unique and foreign keys are made after the rows, when the log was applied up to a place behind all that the copy saw: from there on the target is what the source was.\n\n" +
			"--limit, --ids and --since copy a part and end, with exit code 0: rows of the tables that --ids and --since name, or of all where neither is given. Their parents come along by the foreign keys that the source declares, and the parents of these, so that no reference is broken. All rows are of one moment, which one transaction of the source holds until the end; its log is not read and need not be kept. A partial copy is never followed or gone on with: what it made is given up by `rowferry destroy`.\n\n" +
			"--dry-run, with --once or --until, counts what a run would do, and writes nothing: not in the target, which is only asked for rows, nor in the source, the state directory (of which a temporary copy is made) or a checkpoint. Where a copy is ahead, the tables are read, in one snapshot that one transaction of the source holds until the end. Per table: rows to insert, update, delete; to merge, as new ones that meet a row of the target (`key: match`, `on_duplicate`); to skip, by a filter, `deletes` or `on_duplicate`; that wait at the end; and that the target would refuse, since it has the key already, or lacks the row: then the exit code is 4. A dry run counts on where a run stops at the first. What the target checks when it writes is not foreseen: unique keys other than the one that rows are found by, checks, lengths and ranges, triggers, foreign keys, and old values that differ. Rows are matched with those that the target has now, not with those that the run itself would write.\n\n" +
			"The checks of `rowferry doctor` are made first. A server that is lost on the way is waited for. SIGTERM and SIGINT finish the batch in hand and end the run; with --once or --until that is exit code 130 when it comes too early.\n\n" +
			"The summary at the end says how the source's transactions were grouped. With -o json: batches; group_most_transactions, of the largest batch; group_longest_seconds, between the first and the last commit at the source in one batch; compaction_ratio, changes to writes, null where nothing was written; fallbacks, batches that were refused compacted; splits, those that were refused in the source's order too and were applied one transaction at a time.\n\n" +
			"A password never goes on the command line: put the URL into ROWFERRY_SOURCE and ROWFERRY_TARGET, or use password_file or password_command in the configuration file.",
		example: "rowferry run -c shop.yaml",
		options: []*option{
			sourceOption, targetOption, stateOption, nameOption, fromHereOption, onceOption, untilOnceOption,
			schemaOption, tablesOption, triggersOption, matchOption, memoryOption, serverIDOption, patienceOption,
			workersOption, chunkRowsOption, acceptOption, resnapshotOption, maxRowsOption, limitOption, idsOption, sinceOption,
			dryRunOption,
		},
		run: runPipeline,
	}
}

func runPipeline(ctx context.Context, in *invocation) error {
	s, err := in.settings()
	if err == nil {
		err = s.need("source", "target")
	}
	if err != nil {
		return err
	}
	switch {
	case s.fromCSV() && s.targetScheme() == "jsonl":
		return rowferry.Errorf(rowferry.CodeUsage, "CSV files are copied, and nothing can be copied into JSON lines").
			Remedy("copy into", "a database, or a SQLite file")
	case !s.source.given() && !s.fromCSV():
		return rowferry.Errorf(rowferry.CodeUsage, "run follows a server, and the source is files").
			Remedy("apply the files", "%s", s.goOn())
	}
	if err := in.partAsked(s); err != nil {
		return err
	}
	if in.on("dry-run") {
		return in.dryRun(ctx, s)
	}
	return carry(ctx, in, s, s.modeOf("run", math.MaxInt64))
}

// copies reports whether a pipeline without a checkpoint begins with a copy.
func (w *wiring) copies() bool {
	s := w.settings
	return w.mode.command == "run" && (s.source.given() || s.fromCSV()) && s.from == "" && s.targetScheme() != "jsonl"
}

// needStart refuses to start a server's pipeline from a place nobody chose.
// It makes nothing.
func (w *wiring) needStart(ctx context.Context) error {
	s := w.settings
	if !s.source.given() || s.from != "" || w.copies() {
		return nil
	}
	var sv survey
	err := w.patiently(ctx, func() (err error) {
		sv, err = look(ctx, w.in, s)
		return err
	})
	if err != nil || sv.decides != nil || sv.peeked.holder != "" {
		return err
	}
	again := s.goOn()
	begun := rowferry.Errorf(rowferry.CodeNoStart, "pipeline %q has no checkpoint, and it was not said where to start", s.name).
		Fact("source", "%s", s.source.endpoint).Fact("target", "%s", s.target).Fact("state", "%s", s.state).
		Remedy("from now on", "%s --from latest", again)
	if s.fromPostgres() {
		return begun.Remedy("from all that a slot has kept", "%s --from earliest", again).
			Remedy("from a place that it has kept", "%s --from 16/B374D848", again)
	}
	return begun.Remedy("from all that is logged", "%s --from earliest", again).
		Remedy("from a place", "%s --from mysql-bin.000042:1337, a GTID set or a time", again)
}
