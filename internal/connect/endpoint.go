package connect

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// DefaultTimeout is the longest wait for an answer, unless said otherwise.
const DefaultTimeout = 60 * time.Second

// Endpoint is a server and how to log in to it. It is a value: printing one
// never shows the password.
type Endpoint struct {
	Scheme   string // mysql, mariadb or postgres
	Host     string // a name or address; empty where Socket is set
	Port     int    // 1 to 65535
	Socket   string // path of a Unix socket; for postgres of its directory or of the socket itself
	User     string
	Password Secret
	Database string // "" where none is named
	TLS      TLS
	// Timeout bounds every wait for the network: to connect, and for the next
	// byte of an answer. Zero means DefaultTimeout.
	Timeout time.Duration
}

var defaultPorts = map[string]int{"mysql": 3306, "mariadb": 3306, "postgres": 5432}

// Schemes are the schemes of server URLs.
func Schemes() []string { return []string{"mysql", "mariadb", "postgres"} }

// Parse reads scheme://user:password@host:port/database, all but scheme and
// host optional and percent-encoded where needed. A Unix socket stands in the
// host's place, percent-encoded (mysql://root@%2Frun%2Fmysqld.sock/shop), or
// as ?socket=/run/mysqld.sock with the host left out. Errors are CodeBadValue
// and never contain the password.
func Parse(text string) (Endpoint, error) {
	u, err := url.Parse(hostEscaped(text))
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err // the outer one quotes the URL, password included
		}
		if strings.Contains(text, "@") {
			err = errors.New("it has a character that must be percent-encoded, or a port that is no number")
		}
		return Endpoint{}, bad("the server's URL cannot be read: %v", err)
	}
	e := Endpoint{Scheme: u.Scheme, Port: defaultPorts[u.Scheme], User: u.User.Username(), Database: strings.TrimPrefix(u.Path, "/")}
	if e.Port == 0 {
		return Endpoint{}, bad("%q is no scheme of a server's URL", u.Scheme).Remedy("known", "%s", strings.Join(Schemes(), ", "))
	}
	password, _ := u.User.Password()
	e.Password = NewSecret(password)
	if err := e.address(u); err != nil {
		return Endpoint{}, err
	}
	if strings.ContainsRune(e.Database+e.User+password, 0) {
		return Endpoint{}, bad("the server's URL has a zero byte in it")
	}
	return e, nil
}

// hostEscaped hides the percent signs of a socket's path in the host's place,
// which net/url takes for an address with a zone.
func hostEscaped(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return text
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndex(rest[:end], "@") + 1
	path, err := url.PathUnescape(rest[at:end])
	if err != nil || !strings.HasPrefix(path, "/") {
		return text
	}
	return scheme + "://" + rest[:at] + rest[end:] + separator(rest[end:]) + "socket=" + url.QueryEscape(path)
}

func separator(rest string) string {
	if strings.Contains(rest, "?") {
		return "&"
	}
	return "?"
}

func (e *Endpoint) address(u *url.URL) error {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return bad("the server's URL cannot be read: what follows its path is no list of options")
	}
	for name := range query {
		if name != "socket" {
			return bad("the server's URL has an option %q, which does not exist", name).
				Remedy("write", "options as keys of the configuration: tls, timeout, password_file")
		}
	}
	e.Socket = query.Get("socket")
	e.Host = u.Hostname()
	switch {
	case e.Socket != "" && e.Host != "":
		return bad("the server's URL names a host and a socket")
	case e.Socket != "" && !strings.HasPrefix(e.Socket, "/"):
		return bad("the socket's path %q is not absolute", e.Socket)
	case e.Socket == "" && e.Host == "":
		return bad("the server's URL names no host")
	}
	if u.Port() == "" {
		return nil
	}
	if e.Port, err = strconv.Atoi(u.Port()); err != nil || e.Port < 1 || e.Port > 65535 {
		return bad("the server's URL names port %q, which is none", u.Port())
	}
	return nil
}

func bad(format string, args ...any) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeBadValue, format, args...)
}

// Network returns the network and address to dial.
func (e Endpoint) Network() (network, address string) {
	if e.Socket != "" {
		return "unix", e.Socket
	}
	return "tcp", net.JoinHostPort(e.Host, strconv.Itoa(e.Port))
}

// Loopback reports whether nothing leaves the machine on the way to the
// server. A name other than localhost is not looked up: it may change.
func (e Endpoint) Loopback() bool {
	if e.Socket != "" || e.Host == "localhost" {
		return true
	}
	ip := net.ParseIP(e.Host)
	return ip != nil && ip.IsLoopback()
}

// String returns the URL without its password.
func (e Endpoint) String() string {
	u := url.URL{Scheme: e.Scheme}
	if e.User != "" {
		u.User = url.User(e.User)
	}
	if e.Database != "" {
		u.Path = "/" + e.Database
	}
	if e.Socket != "" {
		u.RawQuery = "socket=" + url.QueryEscape(e.Socket)
		if u.Path == "" {
			u.Path = "/"
		}
		return fmt.Sprintf("%s://%s%s?%s", e.Scheme, prefixUser(u.User), u.EscapedPath(), u.RawQuery)
	}
	_, u.Host = e.Network()
	return u.String()
}

func prefixUser(u *url.Userinfo) string {
	if u == nil {
		return ""
	}
	return u.String() + "@"
}

// Wait returns the longest wait for the network.
func (e Endpoint) Wait() time.Duration {
	if e.Timeout <= 0 {
		return DefaultTimeout
	}
	return e.Timeout
}
