package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// The least and the largest that are not worth a warning.
const (
	shortRetention = 72 * time.Hour
	largeSkew      = 5 * time.Second
)

// examination looks at one server. What it finds is collected in order.
type examination struct {
	*conn
	src      *Source
	serverID uint32 // that we were told to use; 0: we choose one
	server   server
	user     string            // ours, as GRANT takes it
	vars     map[string]string // global variables, lower case
	findings []rowferry.Finding
}

// examine looks at everything that a run on this connection stands on. After
// an error there may be more to find.
func examine(ctx context.Context, c *conn, s *Source, serverID uint32) ([]rowferry.Finding, error) {
	x := &examination{conn: c, src: s, serverID: serverID, vars: map[string]string{}}
	for _, look := range []func(context.Context) error{
		x.lookVersion, x.lookVariables, x.lookProxy, x.lookClock, x.lookLog, x.lookPrivileges, x.lookServerID, x.lookReplica,
		x.lookFilters, x.lookTables, x.lookKeys, x.lookEngines, x.lookCascades,
	} {
		if err := look(ctx); err != nil {
			return x.findings, err
		}
	}
	return x.findings, nil
}

func (x *examination) add(f rowferry.Finding) { x.findings = append(x.findings, f) }

func (x *examination) pass(name, format string, args ...any) {
	x.add(rowferry.Finding{Name: name, Level: rowferry.Passed, What: fmt.Sprintf(format, args...)})
}

// warn and fail take remedies as pairs of label and command.
func (x *examination) warn(name, what string, remedies ...string) {
	x.add(rowferry.Finding{Name: name, Level: rowferry.Warning, What: what, Remedies: paired(remedies)})
}

func (x *examination) fail(code rowferry.Code, name, what string, remedies ...string) {
	x.add(rowferry.Finding{Name: name, Level: rowferry.Failed, What: what, Remedies: paired(remedies), Code: code})
}

func paired(words []string) (all []rowferry.Remedy) {
	for i := 0; i+1 < len(words); i += 2 {
		all = append(all, rowferry.Remedy{Label: words[i], Do: words[i+1]})
	}
	return all
}

func (x *examination) lookVersion(ctx context.Context) error {
	row, err := x.first(ctx, 2, "SELECT VERSION(), @@version_comment")
	if err != nil {
		return err
	}
	x.server = parseServer(row[0])
	x.server.mariadb = x.server.mariadb || strings.Contains(strings.ToLower(row[1]), "mariadb")
	switch {
	case x.server.mariadb && !x.server.since(10, 5), !x.server.mariadb && !x.server.since(8, 0):
		x.warn("version", fmt.Sprintf("%s %s is older than what Rowferry is tested with", x.name(), row[0]))
	default:
		x.pass("version", "%s %s", x.name(), row[0])
	}
	return nil
}

func (x *examination) name() string {
	if x.server.mariadb {
		return "MariaDB"
	}
	return "MySQL"
}

func (x *examination) lookVariables(ctx context.Context) error {
	out, err := x.query(ctx, "SHOW GLOBAL VARIABLES")
	if err != nil {
		return err
	}
	for _, row := range out {
		if len(row) > 1 {
			x.vars[strings.ToLower(row[0])] = row[1]
		}
	}
	return nil
}

// is reports whether a variable has a value, by name or number.
func (x *examination) is(variable, value string) bool {
	return strings.EqualFold(x.vars[variable], value)
}

func (x *examination) number(variable string) (float64, bool) {
	n, err := strconv.ParseFloat(x.vars[variable], 64)
	return n, err == nil
}

// lookProxy compares the connection's number in the greeting with what answers:
// a proxy that shares connections gives out numbers of its own.
func (x *examination) lookProxy(ctx context.Context) error {
	row, err := x.first(ctx, 1, "SELECT CONNECTION_ID()")
	if err != nil {
		return err
	}
	if row[0] != strconv.FormatUint(uint64(x.GetConnectionID()), 10) {
		x.warn("direct connection", "a proxy answers between Rowferry and the server: it may switch servers or hold the log back", "connect directly", "source.url: the server's own address")
		return nil
	}
	x.pass("direct connection", "no proxy in between")
	return nil
}

func (x *examination) lookClock(ctx context.Context) error {
	row, err := x.first(ctx, 1, "SELECT UNIX_TIMESTAMP(NOW(6))")
	if err != nil {
		return err
	}
	there, err := strconv.ParseFloat(row[0], 64)
	if err != nil {
		return translate(ctx, fmt.Errorf("the server's clock says %q", row[0]))
	}
	skew := time.Since(time.UnixMicro(int64(there * 1e6))).Round(time.Millisecond)
	if skew.Abs() > largeSkew {
		x.warn("clock", fmt.Sprintf("the server's clock is off by %s from this machine's: lag is shown wrong by as much", -skew), "set", "both clocks by NTP")
		return nil
	}
	x.pass("clock", "agrees with this machine's; the server's zone is %s, which does not matter: the log is in UTC", x.vars["time_zone"])
	return nil
}

// lookLog looks at how the log is written.
func (x *examination) lookLog(context.Context) error {
	if !x.is("log_bin", "ON") {
		x.fail(rowferry.CodeSourceUnfit, "binary log", "the server keeps no binary log", "in its configuration", "log_bin=mysql-bin, and a restart")
		return nil
	}
	x.pass("binary log", "is kept")
	if !x.is("binlog_format", "ROW") {
		x.fail(rowferry.CodeSourceUnfit, "row format", fmt.Sprintf("binlog_format is %s: changes logged as statements cannot be followed", x.vars["binlog_format"]),
			"mend", "SET GLOBAL binlog_format=ROW", "then", "let every session of the application connect again")
	} else {
		x.pass("row format", "ROW")
	}
	switch image := strings.ToUpper(x.vars["binlog_row_image"]); image {
	case "FULL", "FULL_NODUP":
		x.pass("row image", "%s", image)
	default:
		x.warn("row image", fmt.Sprintf("binlog_row_image is %s: a new row whose image lacks a column stops the pipeline", image), "mend", "SET GLOBAL binlog_row_image=FULL")
	}
	x.lookDescription()
	x.lookDurability()
	x.lookRetention()
	return nil
}

func (x *examination) lookDescription() {
	if metadata := x.vars["binlog_row_metadata"]; !strings.EqualFold(metadata, "FULL") {
		x.warn("row metadata", fmt.Sprintf("binlog_row_metadata is %s: names and keys of columns come from the server's tables as they are now, and a pipeline that starts before a change of a table stops", orWord(metadata, "not known to the server")),
			"mend", "SET GLOBAL binlog_row_metadata=FULL")
	} else {
		x.pass("row metadata", "FULL: each change describes itself")
	}
	if strings.Contains(strings.ToUpper(x.vars["binlog_row_value_options"]), "PARTIAL_JSON") {
		x.fail(rowferry.CodePartialJSON, "JSON", "binlog_row_value_options has PARTIAL_JSON: updates of JSON are logged as differences, which cannot be followed", "mend", "SET GLOBAL binlog_row_value_options=''")
	} else {
		x.pass("JSON", "is logged whole")
	}
	switch {
	case x.is("binlog_transaction_compression", "ON"), x.is("log_bin_compress", "ON"):
		x.pass("compression", "on, and understood")
	default:
		x.pass("compression", "off")
	}
	switch {
	case x.server.mariadb:
		x.pass("GTIDs", "MariaDB, domain %s", orWord(x.vars["gtid_domain_id"], "0"))
	case x.is("gtid_mode", "ON"):
		x.pass("GTIDs", "gtid_mode is ON")
	default:
		x.warn("GTIDs", fmt.Sprintf("gtid_mode is %s: positions are places in this server's own files, and a failover to another server cannot be followed", x.vars["gtid_mode"]),
			"mend", "SET GLOBAL enforce_gtid_consistency=ON; then gtid_mode step by step to ON, as the server's manual says")
	}
}

func (x *examination) lookDurability() {
	if strings.EqualFold(x.vars["binlog_checksum"], "NONE") {
		x.warn("checksums", "binlog_checksum is NONE: damage to the log goes unnoticed", "mend", "SET GLOBAL binlog_checksum=CRC32")
	} else {
		x.pass("checksums", "%s, and checked", x.vars["binlog_checksum"])
	}
	if x.vars["sync_binlog"] != "1" || x.vars["innodb_flush_log_at_trx_commit"] != "1" {
		x.warn("durable log", fmt.Sprintf("sync_binlog is %s and innodb_flush_log_at_trx_commit is %s: after a crash the server may lack transactions that were replicated already, which stops the pipeline",
			x.vars["sync_binlog"], x.vars["innodb_flush_log_at_trx_commit"]), "mend", "SET GLOBAL sync_binlog=1, innodb_flush_log_at_trx_commit=1")
		return
	}
	x.pass("durable log", "every commit is synced")
}

// lookRetention: either variable may be missing, and 0 of both means for ever.
func (x *examination) lookRetention() {
	seconds, _ := x.number("binlog_expire_logs_seconds")
	days, _ := x.number("expire_logs_days")
	keep := time.Duration(max(seconds, days*24*60*60)) * time.Second
	if seconds > 0 {
		keep = time.Duration(seconds) * time.Second
	}
	switch {
	case keep == 0:
		x.pass("retention", "the log is kept until it is purged by hand")
	case keep < shortRetention:
		x.warn("retention", fmt.Sprintf("the log is kept for %s: a pipeline that is down for longer has to start over", inDays(keep)), "mend", "SET GLOBAL "+x.retention(7*24*time.Hour))
	default:
		x.pass("retention", "the log is kept for %s", inDays(keep))
	}
}

func (x *examination) retention(d time.Duration) string {
	if _, known := x.vars["binlog_expire_logs_seconds"]; known {
		return fmt.Sprintf("binlog_expire_logs_seconds=%d", int(d.Seconds()))
	}
	return fmt.Sprintf("expire_logs_days=%d", int(d.Hours()/24))
}

func inDays(d time.Duration) string {
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

func orWord(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

var _ rowferry.Examiner = (*liveSource)(nil)

// Examine implements rowferry.Examiner on a connection of its own.
func (s *liveSource) Examine(ctx context.Context) ([]rowferry.Finding, error) {
	src := &Source{opt: Options{Scope: s.opt.Scope, DefaultDB: s.opt.DefaultDB}}
	if err := src.settle(); err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := dial(ctx, life, s.opt.Endpoint)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return examine(ctx, c, src, s.opt.ServerID)
}
