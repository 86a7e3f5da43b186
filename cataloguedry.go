package rowferry

// Runs that write nothing.
var dryCodes = []CodeInfo{
	{CodeWouldReject, ClassRejected, "the target would refuse rows",
		"A dry run has come to its end. The target has rows under keys that rows of the source would get, or lacks rows that would be changed or deleted. A run stops at the first of them, or puts it aside where on_reject says so.",
		notChanged, ways("take the rows for the same", "on_duplicate: update, merge or skip", "keep both", "key: allocate, or an offset", "leave out", "the rows, by a filter: where")},
	{CodeDryRun, ClassUsage, "this cannot be foreseen without being done",
		"A dry run writes nothing: it makes no replication slot, goes on with no copy that is under way, and reads what it reads once.",
		notStarted, ways("look at the tables", "rowferry plan", "try it", "into a target that is nobody's")},
}
