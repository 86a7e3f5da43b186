package rowferry

// Tables that are to be copied again.
var recopyCodes = []CodeInfo{{CodeRecopyRefused, ClassUsage, "tables cannot be copied again",
	"--resnapshot is for tables of a pipeline that follows, of which it can be told which rows are the pipeline's: they have a key, and Rowferry made the target's table or notes the keys of its rows. What the source's log does not tell must not change them.",
	notChanged, ways("look", "at what is named", "start over", startOver)}}
