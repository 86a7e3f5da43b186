package connect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		url, network, address, user, password, database, text string
		loopback                                              bool
	}{
		{"mysql://u:p%40%2F%3A%25@db.example/shop", "tcp", "db.example:3306", "u", "p@/:%", "shop", "mysql://u@db.example:3306/shop", false},
		{"postgres://[::1]:6000", "tcp", "[::1]:6000", "", "", "", "postgres://[::1]:6000", true},
		{"mariadb://root@127.0.0.1/a%2Fb", "tcp", "127.0.0.1:3306", "root", "", "a/b", "mariadb://root@127.0.0.1:3306/a/b", true},
		{"mysql://root@%2Frun%2Fmy%20sqld.sock/shop", "unix", "/run/my sqld.sock", "root", "", "shop", "mysql://root@/shop?socket=%2Frun%2Fmy+sqld.sock", true},
		{"mysql://root@/shop?socket=/run/mysqld.sock", "unix", "/run/mysqld.sock", "root", "", "shop", "mysql://root@/shop?socket=%2Frun%2Fmysqld.sock", true},
	} {
		e, err := Parse(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		network, address := e.Network()
		got := []any{network, address, e.User, e.Password.Reveal(), e.Database, e.String(), e.Loopback()}
		want := []any{c.network, c.address, c.user, c.password, c.database, c.text, c.loopback}
		if fmt.Sprint(got...) != fmt.Sprint(want...) {
			t.Errorf("%s:\n got %q\nwant %q", c.url, got, want)
		}
		if again, err := Parse(e.String()); err != nil || again.String() != e.String() {
			t.Errorf("%s is printed as %s, which is read as %s, %v", c.url, e, again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, url := range []string{
		"mysql://u:canary#x@h/db", "mysql://u:canary@h:99999/db", "mysql://u:canary@h:x/db", "mysql://u:canary@/db", "oracle://u:canary@h", "mysql://u:canary@h/db?tls=no",
		"mysql://u:canary%zz@h/db", "mysql://u:canary@h/?socket=/x", "mysql://u:canary@/?socket=x", "mysql://u:canary%00@h", ":",
	} {
		e, err := Parse(url)
		if rowferry.CodeOf(err) != rowferry.CodeBadValue {
			t.Errorf("%s is read as %s, %v", url, e, err)
		}
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, e), "canary") {
			t.Errorf("%s: the error tells the password: %v", url, err)
		}
	}
}

// TestSecret prints a password in every way there is.
func TestSecret(t *testing.T) {
	e, err := Parse("mysql://u:canary@h/db")
	if err != nil {
		t.Fatal(err)
	}
	text, err := e.Password.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(e), fmt.Sprintf("%v %+v %#v %s %q", e, e, e, e.Password, e.Password), fmt.Sprintf("%+v %#v", &e, &e.Password), string(text), e.Password.LogValue().String()} {
		if strings.Contains(s, "canary") {
			t.Errorf("the password is in %q", s)
		}
	}
}

func TestTLSConfig(t *testing.T) {
	for _, c := range []struct {
		url    string
		tls    TLS
		on     bool
		name   string
		refuse bool
	}{
		{"mysql://localhost", TLS{}, false, "", false},
		{"mysql://db.example", TLS{}, true, "db.example", false},
		{"mysql://db.example", TLS{Mode: TLSDisable}, false, "", false},
		{"mysql://127.0.0.1", TLS{Mode: TLSVerifyFull}, true, "127.0.0.1", false},
		{"mysql://127.0.0.1", TLS{ServerName: "db"}, true, "db", false},
		{"mysql://db.example", TLS{Mode: TLSVerifyCA}, true, "db.example", false},
		{"mysql://db.example", TLS{Mode: "prefer"}, false, "", true},
		{"mysql://db.example", TLS{Mode: "require"}, false, "", true},
		{"mysql://db.example", TLS{Mode: TLSDisable, CA: "x"}, false, "", true},
		{"mysql://db.example", TLS{CA: "/does/not/exist"}, false, "", true},
		{"mysql://db.example", TLS{CA: "tls.go"}, false, "", true},
		{"mysql://db.example", TLS{Cert: "x"}, false, "", true},
		{"mysql://u@/?socket=/x", TLS{Mode: TLSVerifyFull}, false, "", true},
	} {
		e, err := Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		e.TLS = c.tls
		got, err := e.TLSConfig()
		switch {
		case c.refuse:
			if rowferry.CodeOf(err) != rowferry.CodeBadTLS {
				t.Errorf("%s %+v: %v, want %s", c.url, c.tls, err, rowferry.CodeBadTLS)
			}
		case err != nil || (got != nil) != c.on || got != nil && got.ServerName != c.name:
			t.Errorf("%s %+v: %v, %v", c.url, c.tls, got, err)
		case got != nil && got.InsecureSkipVerify && got.VerifyConnection == nil:
			t.Errorf("%s %+v: nothing is verified", c.url, c.tls)
		}
	}
}
