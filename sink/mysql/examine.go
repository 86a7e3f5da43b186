package mysql

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
)

func uintText(n uint64) string { return strconv.FormatUint(n, 10) }

// Examine looks at the server's version, whether it takes writes, the user's
// privileges and the settings that decide what it can hold.
func (s *Sink) Examine(ctx context.Context) (findings []rowferry.Finding, err error) {
	err = s.afresh(ctx, func() error {
		findings = []rowferry.Finding{s.examineVersion()}
		for _, look := range []func(context.Context) (rowferry.Finding, error){s.examineReadOnly, s.examinePrivileges, s.examineEngine} {
			f, err := look(ctx)
			if err != nil {
				return err
			}
			findings = append(findings, f)
		}
		findings = append(findings, s.examinePacket(), s.examineNames())
		return nil
	})
	return findings, err
}

func (s *Sink) examineVersion() rowferry.Finding {
	f := rowferry.Finding{Name: "target version", Level: rowferry.Passed, Facts: []rowferry.Fact{{Name: "version", Value: s.server.version}}}
	f.What = "the target is a MySQL server"
	oldest := []int{8, 0}
	if s.server.MariaDB {
		f.What = "the target is a MariaDB server"
		oldest = []int{10, 6}
	}
	var major, minor int
	if _, err := fmt.Sscanf(s.server.version, "%d.%d", &major, &minor); err != nil || slices.Compare([]int{major, minor}, oldest) < 0 {
		f.Level, f.What = rowferry.Warning, f.What+" of a version that was never tried"
	}
	return f
}

func (s *Sink) examineReadOnly(ctx context.Context) (rowferry.Finding, error) {
	f := rowferry.Finding{Name: "target takes writes", Level: rowferry.Passed, What: "the target takes writes"}
	variables := []string{"read_only", "super_read_only", "innodb_read_only", "transaction_read_only"}
	found, err := s.variables(ctx, variables...)
	if err != nil {
		return f, err
	}
	for _, name := range variables {
		if v := strings.ToUpper(found[name]); v != "" && v != "OFF" && v != "0" && name != "transaction_read_only" {
			f.Level, f.Code, f.What = rowferry.Failed, rowferry.CodeTargetReadOnly, "the target is read-only"
			f.Facts = append(f.Facts, rowferry.Fact{Name: name, Value: v})
		}
	}
	if f.Level == rowferry.Failed {
		f.Remedies = []rowferry.Remedy{{Label: "write to its primary", Do: "target: {url: …}"}, {Label: "open it", Do: "SET GLOBAL read_only = OFF"}}
	}
	return f, nil
}

func (s *Sink) variables(ctx context.Context, names ...string) (map[string]string, error) {
	found := map[string]string{}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ")
	args := make([]any, len(names))
	for i, n := range names {
		args[i] = n
	}
	err := s.session.query(ctx, "SHOW GLOBAL VARIABLES WHERE VARIABLE_NAME IN ("+marks+")", func(scan func(...any) error) error {
		var name, value string
		err := scan(&name, &value)
		found[strings.ToLower(name)] = value
		return err
	}, args...)
	return found, err
}

// needed are the privileges of a user that writes and makes tables. Without
// TRIGGER, triggers are there but not shown.
var needed = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX", "REFERENCES", "TRIGGER"}

func (s *Sink) examinePrivileges(ctx context.Context) (rowferry.Finding, error) {
	f := rowferry.Finding{Name: "target privileges", Level: rowferry.Passed, What: "the user may do what a target needs"}
	var user string
	err := s.session.query(ctx, "SELECT CURRENT_USER()", func(scan func(...any) error) error { return scan(&user) })
	if err != nil {
		return f, err
	}
	grants, err := s.session.strings(ctx, "SHOW GRANTS")
	if err != nil {
		return f, err
	}
	scope := "*.*"
	if db := s.options.Endpoint.Database; db != "" {
		scope = quote(db) + ".*"
	}
	missing := missingPrivileges(grants, s.options.Endpoint.Database, needed)
	if len(missing) == 0 {
		return f, nil
	}
	f.Facts = []rowferry.Fact{{Name: "user", Value: user}, {Name: "missing", Value: strings.Join(missing, ", ") + " on " + scope}}
	f.Remedies = []rowferry.Remedy{{Label: "grant them", Do: fmt.Sprintf("GRANT %s ON %s TO %s", strings.Join(missing, ", "), scope, quoteUser(user))}}
	f.Level, f.Code, f.What = rowferry.Failed, rowferry.CodeTargetDenied, "the user lacks privileges that a target needs"
	if slices.ContainsFunc(grants, func(g string) bool { return !strings.Contains(g, " ON ") }) || s.options.Endpoint.Database == "" {
		f.Level, f.Code, f.What = rowferry.Warning, "", "the user may lack privileges that a target needs; roles, and grants on single databases, are not looked into"
	}
	return f, nil
}

func quoteUser(user string) string {
	name, host, _ := cutLast(user, "@")
	return quote(name) + "@" + quote(host)
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// missingPrivileges returns which of the wanted privileges no grant gives on
// everything, or on the database.
func missingPrivileges(grants []string, database string, wanted []string) []string {
	has := map[string]bool{}
	for _, g := range grants {
		list, rest, ok := strings.Cut(strings.TrimPrefix(g, "GRANT "), " ON ")
		if !ok {
			continue
		}
		pattern := strings.NewReplacer("_", `\_`, "%", `\%`).Replace(database)
		on := strings.HasPrefix(rest, "*.* ") || database != "" && (strings.HasPrefix(rest, quote(database)+".* ") || strings.HasPrefix(rest, quote(pattern)+".* "))
		if !on {
			continue
		}
		for _, p := range strings.Split(list, ", ") {
			has[strings.ToUpper(strings.TrimSpace(p))] = true
		}
	}
	if has["ALL PRIVILEGES"] || has["ALL"] {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(p string) bool { return has[p] })
}

func (s *Sink) examineEngine(ctx context.Context) (rowferry.Finding, error) {
	f := rowferry.Finding{Name: "target engine", Level: rowferry.Failed, Code: rowferry.CodeTargetUnfit, What: "the target has no InnoDB"}
	err := s.session.query(ctx, "SELECT ENGINE, SUPPORT FROM information_schema.ENGINES", func(scan func(...any) error) error {
		var engine, support string
		err := scan(&engine, &support)
		if strings.EqualFold(engine, "InnoDB") && (support == "YES" || support == "DEFAULT") {
			f.Level, f.Code, f.What = rowferry.Passed, "", "the target has InnoDB"
		}
		return err
	})
	return f, err
}

func (s *Sink) examinePacket() rowferry.Finding {
	f := rowferry.Finding{Name: "target packet size", Level: rowferry.Passed, What: "the target takes large values",
		Facts: []rowferry.Fact{{Name: "max_allowed_packet", Value: strconv.Itoa(s.server.maxPacket)}}}
	if s.server.maxPacket < 64<<20 {
		f.Level, f.What = rowferry.Warning, "a value larger than max_allowed_packet stops the run"
		f.Remedies = []rowferry.Remedy{{Label: "allow more", Do: "SET GLOBAL max_allowed_packet = 1073741824"}}
	}
	return f
}

func (s *Sink) examineNames() rowferry.Finding {
	f := rowferry.Finding{Name: "target names", Level: rowferry.Passed, What: "the target tells names of tables apart by case"}
	if s.server.foldCase {
		f.Level, f.What = rowferry.Warning, "the target ignores case in names of tables (lower_case_table_names): two that differ in nothing else are refused"
	}
	return f
}
