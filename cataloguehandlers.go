package rowferry

var handlerCodes = []CodeInfo{
	{CodeHandlerFailed, ClassRuntime, "a custom handler failed",
		"A handler that was built into this program returned an error for a change, or panicked. What it says stands in the message. It is called again for the same change at the next start.",
		applied, ways("mend", "the handler, or the row at the source, build the program again, and "+again)},
	{CodeHandlerAnswer, ClassRuntime, "what a custom handler made of a change cannot be applied",
		"A handler that was built into this program returned a mutation that is not complete, or not of a table that it declared in answer to a Shape. Applying it could lose or change rows without a word.",
		applied, ways("mend", "the handler, build the program again, and "+again)},
	{CodeHandlerRefused, ClassUsage, "a custom handler does not fit the pipeline",
		"A handler is built into this program for tables that are not in scope, or have one already, or whose rows the configuration has rules for: a handler takes the place of where, columns, drop, rename, to, provenance and deletes.",
		notStarted, ways("take out", "the rules for the table, under 'entities'", "use", "the program without that handler")},
}
