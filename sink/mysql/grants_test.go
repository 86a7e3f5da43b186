package mysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/schema"
)

// TestParseGrants reads what servers print, hostile names included.
func TestParseGrants(t *testing.T) {
	for line, want := range map[string]string{
		"GRANT USAGE ON *.* TO `u`@`%`":                                                    "[{[USAGE] * *}]",
		"GRANT SELECT, INSERT ON `shop`.* TO `u`@`%` WITH GRANT OPTION":                    "[{[SELECT INSERT] shop *}]",
		"GRANT ALL PRIVILEGES ON `a\\_b`.`c``d.* TO` TO `u`@`%`":                           "[{[ALL PRIVILEGES] a\\_b c`d.* TO}]",
		"GRANT SELECT (`a`, `b`), UPDATE ON `shop`.`t` TO `u`@`%`":                         "[{[SELECT (`A` `B`) UPDATE] shop t}]",
		"GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `u`@`%`":                                 "[]",
		"GRANT `reader`@`%` TO `u`@`%`":                                                    "[]",
		"GRANT PROXY ON ``@`` TO `root`@`localhost` WITH GRANT OPTION":                     "[]",
		"REVOKE INSERT ON `shop`.* FROM `u`@`%`":                                           "[]",
		"GRANT SELECT ON `unclosed":                                                        "[]",
		"GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*6BB4837EB74329105EE4568D'": "[{[USAGE] * *}]",
		"GRANT SELECT, `INSERT` ON `shop`.`unclosed TO `u`@`%`":                            "[]",
	} {
		if got := fmt.Sprint(parseGrants([]string{line})); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// TestLike matches names of databases as the server does.
func TestLike(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"shop", "shop", true}, {"shop", "shops", false}, {"shop%", "shops", true}, {"s_op", "shop", true}, {`s\_op`, "shop", false},
		{`s\_op`, "s_op", true}, {"%", "", true}, {"%op", "shop", true}, {"%x", "shop", false}, {"", "a", false}, {"日_", "日本", true}, {`a\`, `a\`, true},
	} {
		if got := like(c.pattern, c.name); got != c.want {
			t.Errorf("%q LIKE %q is %t", c.name, c.pattern, got)
		}
	}
}

// TestLacking: what is missing is named in as few statements as say it exactly.
func TestLacking(t *testing.T) {
	rows := "SELECT, INSERT, UPDATE, DELETE"
	for name, c := range map[string]struct {
		database    string
		create      bool
		grants      []string
		checkpoints bool
		want        string
	}{
		"all on everything":         {"shop", true, []string{"ALL PRIVILEGES ON *.*"}, false, ""},
		"nothing":                   {"shop", true, nil, false, rows + ", CREATE, ALTER ON `shop`.*"},
		"on a pattern":              {"shop", true, []string{rows + ", CREATE, ALTER ON `sh__`.*"}, false, ""},
		"one pattern hides another": {"shop", true, []string{rows + " ON `shop`.*", "CREATE, ALTER ON `sho%`.*"}, false, "CREATE, ALTER ON `shop`.*"},
		"added to the pattern":      {"shop", true, []string{rows + ", ALTER ON `sh__`.*", "CREATE ON `s%`.*"}, false, "CREATE ON `sh__`.*"},
		"split over grants":         {"shop", true, []string{rows + " ON *.*", "CREATE ON `shop`.*"}, false, "ALTER ON `shop`.*"},
		"on tables":                 {"shop", false, []string{rows + " ON `shop`.`a`", rows + " ON `shop`.`b`", "SELECT, INSERT, UPDATE ON `shop`.`rowferry_checkpoint`"}, true, ""},
		"on one table":              {"shop", false, []string{rows + " ON `shop`.`a`", "SELECT, INSERT, UPDATE, CREATE ON `shop`.`rowferry_checkpoint`"}, false, rows + " ON `shop`.`b`"},
		"on no table":               {"shop", false, []string{"CREATE ON `shop`.`rowferry_checkpoint`"}, false, rows + " ON `shop`.*"},
		"not on the checkpoints":    {"shop", false, []string{rows + " ON `shop`.`a`", rows + " ON `shop`.`b`"}, false, "SELECT, INSERT, UPDATE, CREATE ON `shop`.`rowferry_checkpoint`"},
		"no database named":         {"", true, []string{rows + ", CREATE, ALTER ON `shop`.*"}, false, "SELECT, INSERT, UPDATE, CREATE ON `rowferry`.`rowferry_checkpoint`"},
		"wrong database":            {"", true, []string{"ALL PRIVILEGES ON `rowferry`.*"}, false, rows + ", CREATE, ALTER ON `shop`.*"},
	} {
		s := &Sink{options: Options{Endpoint: connect.Endpoint{Database: c.database}, CreateTables: c.create}}
		s.server.MariaDB = true
		seen := []schema.Name{{Schema: "shop", Table: "a"}, {Schema: "shop", Table: "b"}}
		var lines, got []string
		for _, g := range c.grants {
			lines = append(lines, "GRANT "+g+" TO `u`@`%`")
		}
		given := parseGrants(lines)
		for _, n := range s.lacking(s.needs(seen, c.checkpoints), given, c.checkpoints) {
			got = append(got, strings.Join(n.privileges, ", ")+" ON "+grantable(given, n.on))
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
	}
}
