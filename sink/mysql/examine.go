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
