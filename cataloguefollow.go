package rowferry

// Rows that follow their parents' filters.
var followCodes = []CodeInfo{{CodeLeadCrosses, ClassRuntime, "a row that others follow enters or leaves the target",
	"By where_parent, rows of other tables are in the target where this one is. A change of it takes it past its filter, or to a parent on the other side: so the rows that follow it would enter or leave too, and the log has no change of them.",
	applied, ways("copy", startOver, "filter", "by a column that does not change, or give the rows that follow a where of their own in the place of where_parent, in a new pipeline")}}
