package cli

import (
	"slices"
	"strconv"

	"github.com/rowferry/rowferry/mapping"
)

// kind is what a configuration key takes.
type kind int

const (
	textKey    kind = iota // one piece of text
	switchKey              // true or false
	listKey                // a list of texts
	numberKey              // a whole number
	mappingKey             // a mapping with the keys given
	namedKey               // a mapping whose names are free and whose values are alike
)

// key declares one configuration key. The loader, the reference page and the
// JSON Schema are all made from it.
type key struct {
	name     string
	kind     kind
	doc      string
	def      string
	example  string
	flag     string // the flag that goes before it
	values   []string
	required bool
	keys     []*key             // of a mappingKey
	one      bool               // of a mappingKey: exactly one of its keys is given
	each     *key               // of a namedKey; its name is a placeholder
	or       *key               // of a textKey: the mapping that may stand in its place
	named    func(string) error // checks the free names of a namedKey
	check    func(string) error // checks a text, or a list's members
	// set stores one text (a list calls it for each member); under holds the
	// free names on the way to the key.
	set func(s *settings, under []string, value string)
}

var triggerModes = []string{"fire", "suppress"}

// The ways to find the row of an update or delete.
const (
	matchRow = "row"
	matchKey = "key"
)

// configKeys is the configuration file as a whole.
func configKeys() *key {
	return &key{kind: mappingKey, keys: []*key{
		{
			name: "name", required: true, flag: "name", example: "shop-to-staging", check: checkName,
			doc: "The pipeline's name, under which its checkpoint is kept in the target. Up to 64 letters, digits, `-`, `_` and `.`.",
			set: func(s *settings, _ []string, v string) { s.name = v },
		},
		{name: "source", kind: mappingKey, doc: "Where changes come from.", keys: sourceKeys()},
		{name: "target", kind: mappingKey, doc: "Where rows go.", keys: targetKeys()},
		{
			name: "tables", kind: listKey, flag: "tables", example: `["shop.*", "!shop.tmp_*"]`, check: checkPattern,
			doc: "The tables in scope, as `database.table` with `*`, `?` and `[a-z]`; of a PostgreSQL source as `schema.table`. A leading `!` takes out. The last pattern that matches a table decides. Without the key, the tables of the database that the source's URL (or `source.csv.database`) names, or else every table but the server's own; of a PostgreSQL source the tables of all schemas.",
			set: func(s *settings, _ []string, v string) { s.tables = append(s.tables, v) },
		},
		{
			name: "entities", kind: namedKey, named: checkEntity, example: `{shop.customers: {to: clients, where: 'country == "DE"'}}`,
			doc:  "Rules for single source tables, by `database.table`, or `schema.table` of a PostgreSQL source.",
			each: &key{name: "database.table", kind: mappingKey, doc: "One source table.", keys: entityKeys()},
		},
		{name: "copy", kind: mappingKey, doc: "How what is there is copied, before it is followed.", keys: copyKeys()},
		orphansKey,
		{name: "throttle", kind: mappingKey, doc: "What the pipeline is held back by. `rowferry set` changes it while an engine runs.", keys: throttleKeys()},
		{
			name: "memory", def: "256MiB", flag: "memory", example: "512MiB", check: checkSize,
			doc: "The most memory to use, in `KiB`, `MiB` or `GiB`, at least `96MiB`. A transaction that does not fit goes through files in the state directory.",
			set: func(s *settings, _ []string, v string) { s.memory, _ = parseSize(v) }, // checked before it is set
		},
		{
			name: "waiting_rows", kind: numberKey, def: strconv.Itoa(mapping.DefaultWaiting), example: "1000000", check: checkWaiting,
			doc: "How many rows may wait for their parents at the same time; see `missing_parent`. They wait in the state directory. Where one more would have to, the pipeline stops, unless a copy is being made.",
			set: func(s *settings, _ []string, v string) { s.waiting, _ = strconv.Atoi(v) }, // checked before it is set
		},
		onRejectKey, stopAfterKey,
		{
			name: "patience", flag: "patience", example: "10m", check: checkPatience,
			doc: "How long a server that is lost or busy is waited for before giving up, as `10m`, `0s` or `forever`. Without the key, `forever` in `run` and `0s` in `replay`.",
			set: func(s *settings, _ []string, v string) { s.patience = v },
		},
		{
			name: "state", def: defaultState, flag: "state", example: "/var/lib/rowferry/shop",
			doc: "The directory of the pipeline's own state, made when missing, for this pipeline alone.",
			set: func(s *settings, _ []string, v string) { s.state = s.beside(v) },
		},
	}}
}

func sourceKeys() []*key {
	return slices.Concat([]*key{
		{
			name: "url", flag: "source", example: "mysql://rowferry@prod-replica:3306/shop", check: checkSource,
			doc: "The server whose log is followed, as `mysql://user@host:port/database`, `mariadb://…` or `postgres://…`, percent-encoded where needed; a Unix socket stands in the host's place as `%2Frun%2Fmysqld.sock`. Of a PostgreSQL server, one database is read, which the URL has to name. Or binlog files, as `binlog:` and a path that may have `*`, `?` and `[0-9]` in its last parts. A path after `binlog:///` is absolute.",
			set: func(s *settings, _ []string, v string) { s.setSource(v, s.beside) },
		},
	}, serverKeys(func(s *settings) *server { return &s.source }), []*key{
		{
			name: "server_id", kind: numberKey, flag: "server-id", example: "4711", check: checkServerID,
			doc: "MySQL and MariaDB: the number that the source knows this replica by, different from that of every server and replica beside it. Without the key, one at random that no replica has.",
			set: func(s *settings, _ []string, v string) { s.serverID = serverIDOf(v) },
		},
		{
			name: "schema", flag: "schema", example: "shop-schema.sql",
			doc: "MySQL and MariaDB: a file with the tables' CREATE statements of the moment the log starts (`mysqldump --no-data`). Needed where the log has neither full row metadata nor the CREATE statements themselves, and for unique and foreign keys.",
			set: func(s *settings, _ []string, v string) { s.schema = s.beside(v) },
		},
		{
			name: "csv", kind: mappingKey, keys: csvKeys(),
			doc: "CSV files in a server's place: `rowferry run` copies them, and ends. Nothing else stands beside it under `source`.",
		},
	}, slotKeys())
}

func targetKeys() []*key {
	return slices.Concat([]*key{
		{
			name: "url", flag: "target", example: "postgres://rowferry@staging/shop", check: checkTarget,
			doc: "The target: a server, as `postgres://user@host:port/database`, `mysql://…` or `mariadb://…`; `sqlite:` and a path for a SQLite file, `jsonl:` and a path for JSON lines, `jsonl:-` for JSON lines on standard output. A path after `sqlite:///` is absolute. In MySQL and MariaDB, a database in the URL takes the place of the source's; in PostgreSQL it is where to connect, and the source's databases become schemas. Schemas of a PostgreSQL source count as databases here, and stay schemas in PostgreSQL.",
			set: func(s *settings, _ []string, v string) { s.setTarget(v, s.beside) },
		},
	}, serverKeys(func(s *settings) *server { return &s.sink }), []*key{
		{
			name: "create_tables", kind: switchKey, def: "true",
			doc: "Whether missing target tables are made. With `false`, a missing table stops the pipeline.",
			set: func(s *settings, _ []string, v string) { s.create = v == "true" },
		},
		{
			name: "triggers", flag: "triggers", values: triggerModes,
			doc: "`fire` lets the triggers of target tables fire for replicated rows, `suppress` keeps them from it where the target can. Without the key, target tables that have triggers are refused.",
			set: func(s *settings, _ []string, v string) { s.triggers = v },
		},
		{
			name: "match", flag: "match", values: []string{matchRow, matchKey}, def: matchRow,
			doc: "How an update or delete finds its row. `row`: by its key, and the pipeline stops where the row that has it has other values than the source's row had. Not compared are FLOAT, DOUBLE and JSON, values of more than 8 KiB, and tables whose triggers fire; where triggers of one table change rows of another, take `key`. `key`: by its key alone, as a database's own replica does. That is for a target whose rows are edited, and takes a row of somebody else's with the same key for the source's.",
			set: func(s *settings, _ []string, v string) { s.match = v },
		},
	})
}
