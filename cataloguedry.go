package rowferry

// Runs that write nothing, and maps as files.
var dryCodes = []CodeInfo{
	{CodeWouldReject, ClassRejected, "the target would refuse rows",
		"A dry run has come to its end. The target has rows under keys that rows of the source would get, or lacks rows that would be changed or deleted. A run stops at the first of them, or puts it aside where on_reject says so.",
		notChanged, ways("take the rows for the same", "on_duplicate: update, merge or skip", "keep both", "key: allocate, or an offset", "leave out", "the rows, by a filter: where")},
	{CodeDryRun, ClassUsage, "this cannot be foreseen without being done",
		"A dry run writes nothing: it makes no replication slot, goes on with no copy that is under way, and reads what it reads once.",
		notStarted, ways("look at the tables", "rowferry plan", "try it", "into a target that is nobody's")},
	{CodeMapFile, ClassUsage, "an exported map cannot be read",
		"The file is not what rowferry map export wrote, or not all of it: it ends with a line that says how many rows it has.",
		notChanged, ways("export", "it again: rowferry map export FILE")},
	{CodeMapConflict, ClassUsage, "an exported map does not fit the pipeline",
		"The keys were exported at another place of the log, under other rules, while an engine ran or while rows waited, or the pipeline has noted other keys of the same rows. Rows would be brought twice, or references lead to others.",
		notChanged, ways("import", "into the state at the place of the export: rowferry checkpoint export, and import, go with it", "export", "it again, while no engine runs and no row waits")},
}
