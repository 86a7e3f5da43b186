package rowferry

// applied is the sentence for errors that stop a run between transactions.
const applied = "Every transaction before it is applied and checkpointed, nothing of its own transaction is."

const (
	notStarted = "Nothing was started."
	notChanged = "Nothing was changed."
)

func ways(labelled ...string) []Remedy {
	var r []Remedy
	for i := 0; i < len(labelled); i += 2 {
		r = append(r, Remedy{labelled[i], labelled[i+1]})
	}
	return r
}

// again is the way on after most stops.
const again = "run the same command again"

// catalogue explains every code. `rowferry explain CODE` prints it and the
// reference page is generated from it, so it is written for operators.
var catalogue = slicesOf(configCodes, sourceCodes, targetCodes, stateCodes, programCodes)

func slicesOf(parts ...[]CodeInfo) []CodeInfo {
	var all []CodeInfo
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

var configCodes = []CodeInfo{
	{CodeUnknownKey, ClassUsage, "unknown configuration key",
		"The configuration has a key that Rowferry does not know. A key that was ignored silently would be a setting you believe in and do not have.",
		notStarted, ways("correct", "the spelling, or remove the key")},
	{CodeWrongType, ClassUsage, "a configuration value has the wrong type",
		"A value in the configuration is of another type than its key takes: a list where one word is meant, say.",
		notStarted, ways("correct", "the value; docs/reference/config.md shows every key's type")},
	{CodeMissingKey, ClassUsage, "a required setting is missing",
		"Something that has no default was given neither as flag, nor in the environment, nor in the file.",
		notStarted, ways("give it", "as a flag, or in the file given as --config")},
	{CodeBadValue, ClassUsage, "a setting has a value that makes no sense",
		"The value is of the right type but outside what the setting takes.",
		notStarted, ways("correct", "the value; docs/reference/config.md says what is taken")},
	{CodeBadSyntax, ClassUsage, "the configuration is not valid YAML",
		"The file cannot be read as YAML. The line and column are where the parser gave up, which may be just after the mistake.",
		notStarted, ways("correct", "the file near that line")},
	{CodeUsage, ClassUsage, "wrong usage of a command",
		"A command, flag or argument is not what the command takes. Flags come before arguments.",
		notStarted, ways("see", "rowferry help COMMAND")},
	{CodeBadPosition, ClassUsage, "a position cannot be read",
		"Positions are written mysql-bin.000042:1337, as a GTID set (3e11fa47-…:1-5, tagged too), as MariaDB GTIDs (0-1-100,1-2-7), as an RFC 3339 time, or as earliest or latest.",
		notStarted, ways("write", "mysql-bin.000042:1337, a GTID set, 2026-11-18T12:04:00Z, earliest or latest")},
	{CodeZonelessTime, ClassUsage, "a time has no zone",
		"A time without a zone means different moments to you, to the server and to this machine.",
		notStarted, ways("write", "2026-11-18T12:04:00Z or 2026-11-18T13:04:00+01:00")},
	{CodeFromConflict, ClassUsage, "--from was given, but the pipeline has a checkpoint",
		"The pipeline already has a checkpoint, and --from is not the start it was given at first. Starting elsewhere would lose rows or apply them twice.",
		notChanged, ways("resume", "run the same command without --from", "move knowingly", "rowferry checkpoint set", "start over", "use another --name and another target")},
	{CodeConfigChanged, ClassUsage, "the rules changed in a way that touches applied rows",
		"The tables or names in the configuration differ from those the applied rows were made with, so rows that are already there would be wrong or missing.",
		notChanged, ways("undo", "restore the former tables and entities settings", "start over", "use another --name and another target")},
	{CodeConfigFile, ClassUsage, "the configuration file cannot be read",
		"The file named by --config does not exist or cannot be opened.",
		notStarted, ways("check", "the path and its permissions")},
	{CodeSeveralErrors, ClassUsage, "the configuration has several errors",
		"Each error is listed with its own code, line and column.",
		notStarted, ways("correct", "all of them; they are independent")},
}

var sourceCodes = []CodeInfo{
	{CodeNotABinlog, ClassUsage, "a file is not a binlog",
		"A binlog starts with the four bytes fe 'bin'. This file does not: it may be an index, a dump, or compressed with gzip.",
		"Nothing was applied from it.", ways("give", "binlog files only; unpack them first", "check", "the pattern given as --files")},
	{CodeCorruptLog, ClassRuntime, "the log is corrupt",
		"An event's checksum or structure is wrong.",
		"Everything up to the last whole transaction before it is applied and checkpointed; nothing of the damaged one is.",
		ways("replace", "the file by an undamaged copy from the server or a backup, and "+again)},
	{CodeTruncatedLog, ClassRuntime, "a log file ends in the middle, and another follows it",
		"A file that is not the last one ends inside an event or a transaction. A truncated last file is normal, since the server was still writing; a truncated one in the middle means that transactions are missing. So does one that was copied before its server ended it.",
		applied, ways("replace", "the file by the whole one, and "+again)},
	{CodeLogMissing, ClassPosition, "a log file is missing from the sequence",
		"The files do not follow each other without a gap, so transactions would be skipped. Where the log has no GTIDs, only the files' names tell, so that these must be the server's own.",
		"Everything before the gap is applied and checkpointed, if it was reached.",
		ways("add", "the missing file, and "+again)},
	{CodePositionOutside, ClassPosition, "the position is not in these files",
		"The start or the end that was asked for does not lie at a transaction boundary of the given files.",
		notChanged, ways("give", "the files that contain it", "look up", "positions with 'rowferry tail --files …'")},
	{CodeStatementLog, ClassRuntime, "a change was logged as a statement",
		"A statement that changes rows of a table in scope is in the log as text (binlog_format STATEMENT or MIXED). Replaying text cannot be exact.",
		applied, ways("leave out", "the table: tables: [\"*.*\", \"!db.table\"], in a new pipeline", "prevent", "SET GLOBAL binlog_format=ROW on the source, then copy the table anew")},
	{CodeUnknownEvent, ClassRuntime, "the log has an event this program does not know",
		"An event type outside the known ones may carry rows, so it is not skipped.",
		applied, ways("update", "a newer Rowferry may know the event", "report", "the event's type and the server's version")},
	{CodeEncryptedLog, ClassRuntime, "the log file is encrypted",
		"Encrypted binlog files can be read only by their server.",
		"Nothing was applied from it.", ways("decrypt", "mysqlbinlog --read-from-remote-server --raw writes readable copies")},
	{CodeXA, ClassRuntime, "the log has an XA transaction with changes in scope",
		"XA transactions are logged at PREPARE, before it is known whether they commit. This version refuses them rather than guess.",
		applied, ways("leave out", "the tables it changes, in a new pipeline", "go past", "rowferry checkpoint set, after carrying its changes by hand")},
	{CodePartialJSON, ClassRuntime, "the log has partial JSON updates",
		"The source logged a JSON change as a difference (binlog_row_value_options=PARTIAL_JSON), which this version refuses.",
		applied, ways("prevent", "SET GLOBAL binlog_row_value_options='' on the source", "leave out", "the table, in a new pipeline")},
	{CodeShapeUnknown, ClassRuntime, "a table's columns are not known",
		"The log carries no column names for the table (binlog_row_metadata=MINIMAL), and neither a CREATE TABLE in the log, nor --schema, nor an existing target table tells them.",
		applied, ways("tell", "--schema dump.sql, from 'mysqldump --no-data' of the moment the log starts", "prevent", "SET GLOBAL binlog_row_metadata=FULL on the source")},
	{CodeShapeMismatch, ClassRuntime, "a table's known shape does not fit its rows",
		"The rows in the log have other columns than the shape that is known for the table, so decoding them could not be right. The --schema dump may be from another moment than the start of the log.",
		applied, ways("tell", "--schema with a dump of the moment the log starts")},
	{CodeTypeRefused, ClassRuntime, "a column's type is not carried",
		"GEOMETRY and VECTOR columns are not carried by this version, and types that the log alone cannot tell apart are not guessed.",
		applied, ways("leave out", "the table, in a new pipeline", "tell", "--schema dump.sql, where the type is ambiguous")},
	{CodeMixedGTID, ClassRuntime, "the log mixes transactions with and without GTID",
		"The pipeline follows GTIDs and the log has a transaction without one, or the other way round. A position of one kind cannot stand for the other.",
		applied, ways("split", "finish here, and start a new pipeline after the change of mode")},
	{CodeLineageBroken, ClassPosition, "this is not the log the pipeline was reading",
		"The transaction at the checkpoint has other content here than when it was applied, or a file does not continue the one before it: the server was restored or reset, or the files are another server's.",
		"Nothing of these files is applied from the place on where they differ.", ways("give", "the files of the server the pipeline was reading", "start over", "with another --name and another target")},
	{CodeIncident, ClassRuntime, "the server marked its own log as incomplete",
		"The log has an INCIDENT event: the server itself says that changes were lost from it.",
		applied, ways("copy anew", "the tables, and start a new pipeline after the incident")},
	{CodeUntilNotFound, ClassPosition, "the log ended before --until was reached",
		"The end that was asked for is not in the given files.",
		"Everything in the given files is applied and checkpointed.", ways("add", "the later files, and "+again)},
	{CodeBadStatement, ClassRuntime, "a statement that changes a table's shape cannot be read",
		"The log has a CREATE, ALTER, RENAME or DROP for a table in scope that the SQL parser does not understand, so the shape after it is not known.",
		applied, ways("leave out", "the table, in a new pipeline", "start after", "it, with --from and --schema", "report", "the statement")},
	{CodeBadDump, ClassUsage, "the schema dump cannot be read",
		"The file given as --schema is not a dump of CREATE TABLE statements.",
		notStarted, ways("make", "mysqldump --no-data --databases DB > schema.sql")},
	{CodeLogUnreadable, ClassUnreachable, "a log file cannot be read",
		"The file does not exist, or the operating system refused to read it.",
		"Everything applied so far is checkpointed.", ways("check", "the path, its permissions and the disk, and "+again)},
	{CodeCascades, ClassRuntime, "source and target differ in what a foreign key does by itself",
		"One side deletes or updates child rows through a foreign key's action and the other would not. The log does not have such changes (MySQL up to 8.4, MariaDB), so the target must do the same.",
		applied, ways("alter", "the target's foreign key to the source's action", "leave out", "the tables, in a new pipeline")},
	{CodeEventTooLarge, ClassRuntime, "an event is larger than can be held",
		"One event of the log claims a size beyond what a row can have. The file is probably corrupt.",
		applied, ways("replace", "the file by an undamaged copy, and "+again)},
	{CodeBadText, ClassRuntime, "a text value is not valid in its character set",
		"A text value of the source holds bytes that mean nothing in its column's character set, or that Unicode has no character for. Carrying it would change it.",
		applied, ways("mend", "the row at the source, in a new pipeline", "leave out", "the table, in a new pipeline")},
}

var targetCodes = []CodeInfo{
	{CodeTarget, ClassUnreachable, "the target cannot be reached or opened",
		"The target database refused to open.",
		notChanged, ways("check", "the path or address and its permissions")},
	{CodeRowRefused, ClassRuntime, "the target refused a row",
		"A constraint of the target does not accept a row that the source accepted.",
		applied, ways("mend", "the constraint or the row it meets in the target, and "+again)},
	{CodeShapeChanged, ClassRuntime, "a table's shape changed",
		"The log has a change to the columns or keys of a table in scope. Following shape changes is not part of this version.",
		applied, ways("go on", "start a new pipeline after the change, into a new target", "leave out", "the table, in a new pipeline")},
	{CodeTableDiffers, ClassRuntime, "a target table has another shape than the source",
		"The existing target table lacks a column, has one of another type, or has another key than the source.",
		"Nothing was written to it.", ways("alter", "the table to fit, and "+again, "let make", "drop or rename it, and Rowferry makes it")},
	{CodeRowMissing, ClassRuntime, "a row to change is not in the target",
		"An update or delete must find exactly one row, and found none or several: something else wrote to the target, or the replay started after the row was made.",
		applied, ways("restore", "the row in the target, and "+again, "start earlier", "a new pipeline from before the row was made, or with an earlier copy")},
	{CodeForeignRow, ClassRuntime, "an insert met a row that is already there",
		"No batch is ever applied twice, so a row with this key was written by someone else, or the target was not empty.",
		"It was not overwritten. " + applied, ways("move away", "the row that is in the way, and "+again, "start over", "with an empty target")},
	{CodeOutOfRange, ClassRuntime, "a value is outside the target's range",
		"The target's type cannot hold this value, and Rowferry never rounds or truncates.",
		applied, ways("leave out", "the table, in a new pipeline", "mend", "the value at the source, in a new pipeline")},
	{CodeTargetFull, ClassRuntime, "the target has no room left",
		"The target's disk or quota is full.",
		"The batch was rolled back, and everything before it is checkpointed.", ways("make room", "and "+again)},
	{CodeTriggers, ClassRuntime, "a target table has triggers",
		"Triggers on a target table would fire for replicated rows, which the source's own triggers already accounted for.",
		"Nothing was written to it.", ways("let fire", "--triggers fire, if that is meant", "drop", "the triggers, and "+again)},
	{CodeNameCollision, ClassRuntime, "two source tables have the same target name",
		"Two tables in scope would be written to one target table.",
		"Nothing of the second was written.", ways("rename", "one of them: entities: {db.table: {to: other}}", "leave out", "one of them, in 'tables'")},
	{CodeTargetBusy, ClassRuntime, "the target stayed locked",
		"Another connection held the target's write lock for longer than the busy timeout.",
		"The batch was rolled back, and everything before it is checkpointed.", ways("free", "the lock, and "+again)},
	{CodeAbsentColumn, ClassRuntime, "a row image lacks a column that is needed",
		"The source logs minimal row images (binlog_row_image), and a column that is needed to find or write the row is not in the image.",
		applied, ways("prevent", "SET GLOBAL binlog_row_image=FULL on the source", "leave out", "the table, in a new pipeline")},
}

var stateCodes = []CodeInfo{
	{CodeStateUnwritable, ClassRuntime, "the state directory cannot be written",
		"The state directory does not exist and cannot be made, or is not writable.",
		notStarted, ways("choose", "another directory with --state", "check", "its owner and permissions")},
	{CodeStateNewer, ClassRuntime, "the state directory is from a newer version",
		"A newer Rowferry wrote this state directory. An older program could misread it.",
		notStarted, ways("use", "the newer program")},
	{CodeStateLocked, ClassHeld, "another engine uses the state directory",
		"Another Rowferry process has the state directory open.",
		notChanged, ways("wait", "until it ends, or stop it", "look", "rowferry status")},
	{CodeFenced, ClassHeld, "another engine has taken the pipeline",
		"The checkpoint in the target was moved by another engine since this one started. Only one engine may run a pipeline.",
		"This engine's batch was rolled back.", ways("find", "the other engine; this one need not run")},
	{CodeStateNeeded, ClassPosition, "the state directory holds what cannot be rebuilt",
		"The state directory is missing, older than the target, or of another pipeline, and what lived only there cannot be learnt again.",
		notChanged, ways("put back", "the state directory", "rebuild", "give the log files from the pipeline's start on, and "+again)},
	{CodeTargetLost, ClassPosition, "the target no longer has this pipeline's checkpoint",
		"The state directory remembers a pipeline that the target knows nothing of, and the pipeline's start can no longer be read.",
		notChanged, ways("restore", "the target", "start over", "give the log files from the start on, or remove the state directory to start with what there is")},
	{CodeTargetOccupied, ClassPosition, "the target has rows but no checkpoint",
		"The state directory remembers a pipeline, the target has no checkpoint of it, and tables that it wrote still hold rows, so it cannot be told which transactions they contain.",
		notChanged, ways("start over", "empty or drop these tables, and "+again, "go on", "restore the table rowferry_checkpoint together with the rows")},
	{CodeStateCorrupt, ClassRuntime, "the state directory is damaged",
		"The state directory cannot be read.",
		"The target is untouched and still has its checkpoint.", ways("rebuild", "move the directory away and "+again+": it is rebuilt, or what is missing is said")},
	{CodeStateOpen, ClassRuntime, "the state directory is readable by others",
		"The state directory may hold row data and must belong to its user alone.",
		notStarted, ways("close", "chmod 700 on the directory")},
	{CodeNoCheckpoint, ClassPosition, "there is no checkpoint",
		"Neither the target nor the state directory has a checkpoint for this pipeline.",
		notChanged, ways("check", "--name, --target and --state", "list", "rowferry checkpoint list")},
	{CodeCheckpointNew, ClassRuntime, "the checkpoint is from a newer version",
		"A newer Rowferry wrote the checkpoint in the target. An older program could misread it.",
		notStarted, ways("use", "the newer program")},
	{CodeStateFull, ClassRuntime, "the disk of the state directory is full",
		"The state directory could not be written for lack of room.",
		"The batch was not applied, and everything before it is checkpointed.", ways("make room", "and "+again)},
	{CodeBadImport, ClassUsage, "the checkpoint file cannot be imported",
		"The file is not what 'rowferry checkpoint export' writes, or it is of another pipeline.",
		notChanged, ways("make", "the file with 'rowferry checkpoint export'")},
	{CodeStateForeign, ClassUsage, "the state directory belongs to another pipeline",
		"A state directory serves one pipeline, and this one was made for another name.",
		notChanged, ways("choose", "another directory with --state, or the pipeline's own name with --name")},
}

var programCodes = []CodeInfo{
	{CodeInterrupted, ClassInterrupted, "interrupted before the end",
		"A signal stopped the run before what was asked for was done.",
		"Everything applied is checkpointed.", ways("go on", again)},
	{CodeInternal, ClassRuntime, "a fault in the program",
		"Rowferry found itself in a state that should not exist and stopped.",
		"Everything that was checkpointed is safe.", ways("report", "this message, with the version and the command")},
}
