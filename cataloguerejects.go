package rowferry

// Rows that the target refused.
var rejectCodes = []CodeInfo{
	{CodeRejectsFull, ClassRuntime, "the target refuses too many rows",
		"More rows were put aside at the same time than stop_after allows. So many are rarely wrong one by one: a constraint or a column of the target is.",
		applied, ways("look", "why they were refused: rowferry rejects list", "mend", "what refuses them in the target, "+again+", and then rowferry rejects retry --all", "raise", "stop_after")},
	{CodeRejectUnknown, ClassUsage, "no row of that number is put aside",
		"Rows that the target refused are named by the number that rowferry rejects list prints. A row that was written, or deleted in the source, is not in the list any more.",
		notChanged, ways("list", "them: rowferry rejects list")},
	{CodeRejectsLeft, ClassRuntime, "rows are put aside, and the configuration does not say so",
		"Rows that the target refused are in the state directory, with their later changes and the rows that depend on them. Without on_reject: quarantine anywhere they would be forgotten.",
		notChanged, ways("put back", "on_reject: quarantine, at least on one table", "first", "rowferry rejects retry, until no row waits")},
	{CodeRejected, ClassRejected, "everything was applied but for rows that the target refused",
		"The run has come to its end. Rows that the target refused are put aside in the state directory, with their later changes and the rows that depend on them.",
		"All else is applied, and the checkpoint is at the end.", ways("look", "rowferry rejects list", "mend", "what refuses them in the target, and rowferry rejects retry --all", "give up", "a row: rowferry rejects drop NUMBER")},
	{CodeCopyAside, ClassRuntime, "the copy was begun for rows that may be put aside",
		"Where rows may be put aside, a copy goes by way of the state directory, and its rows depend on each other there. It cannot be ended without on_reject: quarantine anywhere.",
		notChanged, ways("put back", "on_reject: quarantine, at least on one table, until the copy is done", "start over", "rowferry destroy, then run again into empty tables")},
}
