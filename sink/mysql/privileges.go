package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// need is privileges that the user must have on a table, or on a whole database
// where the name has no table.
type need struct {
	privileges []string
	on         schema.Name
}

// checkpointPrivileges are for the checkpoint table, once it is there.
var checkpointPrivileges = []string{"SELECT", "INSERT", "UPDATE"}

// rowPrivileges are for tables that exist. MySQL shows their triggers to nobody
// without TRIGGER, MariaDB to whoever may write rows.
func (s *Sink) rowPrivileges() []string {
	all := []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	if s.server.MariaDB {
		return all
	}
	return append(all, "TRIGGER")
}

// makePrivileges are what it takes beside those to make tables and their
// foreign keys. MariaDB asks nobody for REFERENCES.
func (s *Sink) makePrivileges() []string {
	if s.server.MariaDB {
		return []string{"CREATE", "ALTER"}
	}
	return []string{"CREATE", "ALTER", "REFERENCES"}
}

// needs lists what the user must be able to do, given the tables that it sees.
func (s *Sink) needs(seen []schema.Name, checkpoints bool) []need {
	var all []need
	database := s.options.Endpoint.Database
	switch {
	case s.options.CreateTables && database != "":
		return []need{{slices.Concat(s.rowPrivileges(), s.makePrivileges()), schema.Name{Schema: database}}}
	case s.options.CreateTables: // whose databases are those of the source
		for _, n := range seen {
			all = append(all, need{slices.Concat(s.rowPrivileges(), s.makePrivileges()), schema.Name{Schema: n.Schema}})
		}
	case len(seen) == 0 && database != "":
		all = append(all, need{s.rowPrivileges(), schema.Name{Schema: database}})
	default:
		for _, n := range seen {
			all = append(all, need{s.rowPrivileges(), n})
		}
	}
	for i := 1; i < len(all); { // databases were named once for each table
		if all[i].on == all[i-1].on {
			all = slices.Delete(all, i, i+1)
		} else {
			i++
		}
	}
	own := need{checkpointPrivileges, s.checkpointName()}
	if !checkpoints {
		own.privileges = append(slices.Clone(own.privileges), "CREATE")
	}
	return append(all, own)
}

func (s *Sink) examinePrivileges(ctx context.Context) (rowferry.Finding, error) {
	f := rowferry.Finding{Name: "target privileges", Level: rowferry.Passed, What: "the user may do what a target needs"}
	var user string
	err := s.session.query(ctx, "SELECT CURRENT_USER()", func(scan func(...any) error) error { return scan(&user) })
	if err != nil {
		return f, err
	}
	lines, err := s.session.strings(ctx, "SHOW GRANTS")
	if err != nil {
		return f, err
	}
	seen, checkpoints, err := s.seen(ctx)
	if err != nil {
		return f, err
	}
	given := parseGrants(lines)
	missing := s.lacking(s.needs(seen, checkpoints), given, checkpoints)
	if len(missing) == 0 {
		if s.options.CreateTables && s.options.Endpoint.Database == "" && !s.mayMake(given) {
			f.Level, f.What = rowferry.Warning, "the user may make tables in no database but Rowferry's own"
			f.Remedies = []rowferry.Remedy{{Label: "for each database of the source", Do: fmt.Sprintf("GRANT %s ON `…`.* TO %s",
				strings.Join(slices.Concat(s.rowPrivileges(), s.makePrivileges()), ", "), quoteUser(user))}}
		}
		return f, nil
	}
	f.Facts = []rowferry.Fact{{Name: "user", Value: user}}
	for _, n := range missing {
		list, on := strings.Join(n.privileges, ", "), quote(n.on.Schema)+".*"
		if n.on.Table != "" {
			on = quoteName(n.on)
		}
		f.Facts = append(f.Facts, rowferry.Fact{Name: "missing", Value: list + " on " + on})
		f.Remedies = append(f.Remedies, rowferry.Remedy{Label: "grant", Do: fmt.Sprintf("GRANT %s ON %s TO %s", list, grantable(given, n.on), quoteUser(user))})
	}
	f.Level, f.Code, f.What = rowferry.Failed, rowferry.CodeTargetDenied, "the user lacks privileges that a target needs"
	if slices.ContainsFunc(lines, func(g string) bool { return !strings.Contains(g, " ON ") }) {
		f.Level, f.Code, f.What = rowferry.Warning, "", "the user may lack privileges that a target needs; what its roles have is not looked into"
	}
	return f, nil
}

// seen returns the tables in scope that the user can see, and whether the
// checkpoint table is among what it sees.
func (s *Sink) seen(ctx context.Context) (tables []schema.Name, checkpoints bool, err error) {
	names, err := s.tableNames(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, n := range names {
		plain := schema.Name{Table: n.Table}
		if s.options.InScope == nil || s.options.InScope(n) || s.place(plain) == n && s.options.InScope(plain) {
			tables = append(tables, n)
		}
	}
	x, err := s.inspectHead(ctx, s.session, s.checkpointName())
	return tables, x != nil, err
}

// lacking returns what of the needs is not granted. What is missing of several
// tables of a database is named once, for the whole database.
func (s *Sink) lacking(needs []need, given []grant, checkpoints bool) []need {
	own := s.checkpointName()
	var missing []need
	for _, n := range needs {
		n.privileges = without(n.privileges, func(p string) bool { return granted(given, p, s.server.foldName(n.on)) })
		same := func(o need) bool {
			return n.on != own && o.on.Schema == n.on.Schema && slices.Equal(o.privileges, n.privileges)
		}
		switch i := slices.IndexFunc(missing, same); {
		case i >= 0:
			missing[i].on.Table = ""
		case len(n.privileges) > 0:
			missing = append(missing, n)
		}
	}
	for i, n := range missing {
		if n.on != own {
			continue
		}
		n.privileges = without(n.privileges, func(p string) bool {
			return slices.ContainsFunc(missing, func(o need) bool { return o.on == schema.Name{Schema: own.Schema} && slices.Contains(o.privileges, p) })
		})
		switch {
		case len(n.privileges) == 0:
			return slices.Delete(missing, i, i+1)
		case !checkpoints && !slices.Contains(n.privileges, "CREATE"): // without it nothing is granted on a table that does not exist
			n.privileges = append(n.privileges, "CREATE")
		}
		missing[i] = n
	}
	return missing
}

func without(list []string, is func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(list), is)
}

// mayMake reports whether there is a database, other than the one for the
// checkpoints, in which the user may make and fill tables.
func (s *Sink) mayMake(given []grant) bool {
	wanted := slices.Concat(s.rowPrivileges(), s.makePrivileges())
	return slices.ContainsFunc(given, func(g grant) bool {
		if g.table != "*" || g.database == quotedPattern(s.home()) {
			return false
		}
		on := schema.Name{Schema: unescaped.Replace(g.database)}
		return !slices.ContainsFunc(wanted, func(p string) bool { return !granted(given, p, on) })
	})
}
