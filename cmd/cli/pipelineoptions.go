package cli

// The options of a pipeline, shared by the commands that need one.
var (
	nameOption  = &option{name: "name", value: "NAME", usage: "the pipeline's name, under which its checkpoint is kept", def: defaultName, key: "name"}
	filesOption = &option{name: "files", value: "GLOB", usage: "binlog files, as paths or quoted globs", list: true, key: "source.url", instead: "source"}
	// sourceOption and targetOption take no password: see refuseSecrets.
	sourceOption     = &option{name: "source", value: "URL", usage: "where changes come from: mysql://user@host:port/database, mariadb://… or postgres://…, or binlog:path for files", key: "source.url", instead: "files"}
	schemaOption     = &option{name: "schema", value: "FILE", usage: "the tables' CREATE statements of the moment the log starts (mysqldump --no-data)", key: "source.schema"}
	targetOption     = &option{name: "target", value: "URL", usage: "where rows go: postgres://user@host:port/database, mysql://…, mariadb://…, sqlite:path.db, jsonl:path or jsonl:- for standard output", key: "target.url"}
	triggersOption   = &option{name: "triggers", value: "WHAT", usage: "let triggers of target tables fire, or suppress them; without it, target tables that have triggers are refused", values: triggerModes, key: "target.triggers"}
	matchOption      = &option{name: "match", value: "HOW", usage: "how an update or delete finds its row: by key and old values, or by its key alone", values: []string{matchRow, matchKey}, def: matchRow, key: "target.match"}
	tablesOption     = &option{name: "tables", value: "PATTERN", usage: "tables in scope, as database.table with * and ?, or schema.table of PostgreSQL; ! takes out; without it, the database that the source's URL names, or all", list: true, key: "tables"}
	memoryOption     = &option{name: "memory", value: "SIZE", usage: "the most memory to use, in KiB, MiB or GiB, at least 96MiB", def: "256MiB", key: "memory"}
	stateOption      = &option{name: "state", value: "DIR", usage: "the directory of the pipeline's own state", def: defaultState, key: "state"}
	fromOption       = &option{name: "from", value: "POS|TIME", usage: "where a pipeline without a checkpoint starts: file:position, GTID set, RFC 3339 time or earliest", def: "earliest"}
	fromHereOption   = &option{name: "from", value: "POS|TIME", usage: "where a pipeline without a checkpoint starts: file:position, GTID set, RFC 3339 time, LSN, earliest or latest"}
	tailFromOption   = &option{name: "from", value: "POS|TIME", usage: "where to begin: file:position, GTID set, RFC 3339 time, earliest or latest; without it, the files' beginning, and a server's latest"}
	tailUntilOption  = &option{name: "until", value: "POS|TIME", usage: "stop after this position or before this time; without it, at the end of the files, and never for a server"}
	untilOption      = &option{name: "until", value: "POS|TIME", usage: "stop after this position or before this time", def: "the end of the files"}
	untilOnceOption  = &option{name: "until", value: "POS|TIME", usage: "stop after this position or before this time; without it, follow"}
	acceptOption     = &option{name: "accept-config", usage: "go on under other tables and entities settings than before; rows that are there stay as they are, also those that would be others now, or missing"}
	resnapshotOption = &option{name: "resnapshot", value: "PATTERN", usage: "copy these tables again, as shop.orders or shop.*, into a pipeline that has a checkpoint, while all others are followed; also takes other tables and entities settings, for these tables alone", list: true}
	onceOption       = &option{name: "once", usage: "stop when everything is applied that the source had when asked last"}
	serverIDOption   = &option{name: "server-id", value: "NUMBER", usage: "the number that the source knows this replica by; without it, one at random that no replica has", key: "source.server_id"}
	patienceOption   = &option{name: "patience", value: "TIME", usage: "how long a server that is lost or busy is waited for before giving up, as 10m, 0s or forever; without it, run waits for ever and replay not at all", key: "patience"}
)
