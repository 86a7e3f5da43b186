package rowferry

var matchCodes = []CodeInfo{
	{CodeMatchAmbiguous, ClassRuntime, "a new row matches several of the target",
		"With key: match, a new row takes the place of the row of the target that has the same values in the columns of the rule. Several rows have them, and which one is meant cannot be told.",
		applied, ways("mend", "the target's rows, so that one of them has the values, and "+again, "choose", "columns that tell rows apart, in a new pipeline")},
	{CodeMatchTaken, ClassRuntime, "two rows are one in the target",
		"A new row meets a row of the target that another row of the source has become, or that one of the same transaction becomes. Neither is written over the other.",
		applied, ways("look", "at the two rows in the source: rowferry map lookup tells of the one that is there", "choose", "columns that tell rows apart, in a new pipeline")},
	{CodeMatchUnknown, ClassRuntime, "what a new row matches cannot be told",
		"Another change of the same transaction gives a row other values in the columns of the rule, and the log does not tell all of them.",
		applied, ways("prevent", "binlog_row_image=FULL, or REPLICA IDENTITY FULL, on the source", "choose", "single columns under key: match, in a new pipeline")},
}
