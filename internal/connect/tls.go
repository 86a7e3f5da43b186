package connect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"github.com/rowferry/rowferry"
)

// The modes of TLS. There is none that goes on without encryption where the
// server offers none, and none that encrypts to whoever answers.
const (
	TLSDisable    = "disable"     // no encryption
	TLSVerifyCA   = "verify-ca"   // a certificate of a trusted authority, for whatever name
	TLSVerifyFull = "verify-full" // … for the server's name
)

// TLS says how a connection is encrypted. The zero value means verify-full,
// except on loopback and Unix sockets, where it means disable.
type TLS struct {
	Mode       string
	CA         string // path of PEM certificates to trust; "" means the system's
	Cert, Key  string // paths of the client's own, both or none
	ServerName string // the name the certificate must have; "" means the URL's host
}

// TLSConfig returns the endpoint's TLS configuration, nil where it is not
// encrypted. Errors are CodeBadTLS.
func (e Endpoint) TLSConfig() (*tls.Config, error) {
	t := e.TLS
	switch t.Mode {
	case "":
		if e.Loopback() && t == (TLS{}) {
			return nil, nil
		}
	case TLSDisable:
		if t != (TLS{Mode: TLSDisable}) {
			return nil, rowferry.Errorf(rowferry.CodeBadTLS, "tls has mode disable, and certificates or a name beside it")
		}
		return nil, nil
	case TLSVerifyCA, TLSVerifyFull:
	default:
		return nil, rowferry.Errorf(rowferry.CodeBadTLS, "tls mode %q is not known", t.Mode).
			Remedy("known", "%s, %s, %s", TLSVerifyFull, TLSVerifyCA, TLSDisable).
			Remedy("why not prefer or require", "they send the password to whoever answers")
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if c.ServerName == "" {
		c.ServerName = e.Host
	}
	if c.ServerName == "" {
		return nil, rowferry.Errorf(rowferry.CodeBadTLS, "TLS on a Unix socket needs server_name")
	}
	if err := t.load(c); err != nil {
		return nil, err
	}
	if t.Mode == TLSVerifyCA {
		verifyOnlyCA(c)
	}
	return c, nil
}

func (t TLS) load(c *tls.Config) error {
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return rowferry.Errorf(rowferry.CodeBadTLS, "the file of trusted authorities cannot be read: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return rowferry.Errorf(rowferry.CodeBadTLS, "%s has no certificate in PEM form", t.CA)
		}
	}
	if t.Cert == "" && t.Key == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return rowferry.Errorf(rowferry.CodeBadTLS, "the client's certificate and key cannot be used: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return nil
}

// verifyOnlyCA replaces the check of chain and name by one of the chain alone,
// as crypto/tls documents for VerifyConnection. It fails as crypto/tls's own
// does, so that whoever asks what an error means need not know of the mode.
func verifyOnlyCA(c *tls.Config) {
	roots := c.RootCAs
	c.InsecureSkipVerify = true //nolint:gosec // VerifyConnection checks the chain
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return &tls.CertificateVerificationError{Err: errors.New("the server sent no certificate")}
		}
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(cert)
		}
		if _, err := s.PeerCertificates[0].Verify(o); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
		}
		return nil
	}
}
