package cli

import (
	"time"

	"github.com/goccy/go-yaml/token"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
)

// serverKeys are what source and target alike take beside the URL of a
// server.
func serverKeys(side func(*settings) *server) []*key {
	return []*key{
		{
			name: "password_file", example: "/run/secrets/shop_pw",
			doc: "A file with the password and nothing else; one line end after it is left out.",
			set: func(s *settings, _ []string, v string) { side(s).file = s.beside(v) },
		},
		{
			name: "password_command", kind: listKey, example: "[pass, show, staging/rowferry]",
			doc: "A command that prints the password, as a list of its words; no shell reads them. It runs in the file's folder and has 30 seconds. One line end after the password is left out.",
			set: func(s *settings, _ []string, v string) { side(s).command = append(side(s).command, v) },
		},
		{
			name: "tls", kind: mappingKey, keys: tlsKeys(side),
			doc: "How the connection is encrypted. Without the key: `verify-full`, except on loopback and Unix sockets.",
		},
		{
			name: "timeout", def: "60s", example: "2m", check: checkTimeout,
			doc: "The longest wait for the server to accept a connection and for each part of an answer, at least `1s`.",
			set: func(s *settings, _ []string, v string) { side(s).endpoint.Timeout, _ = time.ParseDuration(v) }, // checked before it is set
		},
	}
}

func tlsKeys(side func(*settings) *server) []*key {
	tls := func(s *settings) *connect.TLS { return &side(s).endpoint.TLS }
	return []*key{
		{
			name: "mode", values: []string{connect.TLSVerifyFull, connect.TLSVerifyCA, connect.TLSDisable},
			doc: "`verify-full` takes only a certificate of a trusted authority for the server's name, `verify-ca` one for whatever name, `disable` sends everything as it is.",
			set: func(s *settings, _ []string, v string) { tls(s).Mode = v },
		},
		{
			name: "ca", example: "/etc/ssl/staging-ca.pem",
			doc: "The authorities to trust, as a PEM file. Without it, the system's.",
			set: func(s *settings, _ []string, v string) { tls(s).CA = s.beside(v) },
		},
		{
			name: "cert", example: "client.pem",
			doc: "The client's own certificate, as a PEM file, together with `key`.",
			set: func(s *settings, _ []string, v string) { tls(s).Cert = s.beside(v) },
		},
		{
			name: "key", example: "client-key.pem",
			doc: "The key of the client's certificate, as a PEM file.",
			set: func(s *settings, _ []string, v string) { tls(s).Key = s.beside(v) },
		},
		{
			name: "server_name", example: "db.example.org",
			doc: "The name that the server's certificate must have, where that is not the URL's host.",
			set: func(s *settings, _ []string, v string) { tls(s).ServerName = v },
		},
	}
}

// agree checks what no key can by itself: that a login is for a server, and
// that there is one password.
func (l *loader) agree() {
	for _, side := range []struct {
		name   string
		server *server
		other  []string // further keys that are for servers only
	}{{"source", &l.s.source, []string{"server_id"}}, {"target", &l.s.sink, nil}} {
		url := l.places[side.name+".url"]
		for _, k := range append([]string{"password_file", "password_command", "tls", "timeout"}, side.other...) {
			at := l.places[side.name+"."+k]
			if at == nil || url == nil || side.server.given() || l.failed(url) {
				continue
			}
			l.fail(l.problem(rowferry.CodeBadValue, at, "%s is for a server, and %s names none", join(side.name, k), join(side.name, "url")).
				Remedy("leave out", "%s", k))
		}
		if at := l.places[side.name+".password_command"]; at != nil && side.server.command == nil && len(l.errs) == 0 {
			l.fail(l.problem(rowferry.CodeBadValue, at, "%s.password_command is an empty list", side.name))
		}
		if side.server.ways() > 1 {
			e := severalPasswords()
			l.locate(e, last(l.places[side.name+".password_file"], l.places[side.name+".password_command"]))
		}
		l.certificate(side.name)
	}
	l.kinds()
	l.agreeCSV()
	l.agreeEntities()
}

// kinds checks that keys which are for one kind of source server stand beside the
// URL of one.
func (l *loader) kinds() {
	url := l.places["source.url"]
	if url == nil || l.failed(url) || !l.s.source.given() {
		return
	}
	wrong, kind := []string{"slot", "publication", "partitions", "origin"}, "PostgreSQL"
	if l.s.fromPostgres() {
		wrong, kind = []string{"server_id", "schema"}, "MySQL and MariaDB"
	}
	for _, k := range wrong {
		if at := l.places["source."+k]; at != nil {
			l.fail(l.problem(rowferry.CodeBadValue, at, "source.%s is for %s, and source.url names another server", k, kind).Remedy("leave out", "%s", k))
		}
	}
}

// failed reports whether the value of the key at that place was refused: then
// nothing is known of it.
func (l *loader) failed(key *token.Token) bool { return l.refused[key] }

// certificate checks that a client's certificate has its key.
func (l *loader) certificate(side string) {
	cert, key := l.places[side+".tls.cert"], l.places[side+".tls.key"]
	if (cert == nil) == (key == nil) {
		return
	}
	l.fail(l.problem(rowferry.CodeBadTLS, last(cert, key), "%s.tls has one of cert and key, and they go together", side))
}

func last(tokens ...*token.Token) *token.Token {
	var at *token.Token
	for _, t := range tokens {
		if t != nil && (at == nil || t.Position.Offset > at.Position.Offset) {
			at = t
		}
	}
	return at
}
