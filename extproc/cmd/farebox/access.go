package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// access says who may talk to the server: whoever reaches its port can read caches and drain budgets.
type access struct {
	cert, key, clientCA string
	allow               list
	plaintext           bool
}

func (a *access) define(f *flag.FlagSet) {
	f.StringVar(&a.cert, "tls-cert", "", "PEM `FILE` of the server's certificate")
	f.StringVar(&a.key, "tls-key", "", "PEM `FILE` of its key")
	f.StringVar(&a.clientCA, "tls-client-ca", "", "PEM `FILE` of the authority that signs clients' certificates")
	f.Var(&a.allow, "allow", "DNS or URI `NAME` of a client certificate that may connect; may be repeated")
	f.BoolVar(&a.plaintext, "plaintext", false, "listen without TLS beyond loopback, because the mesh encrypts and authenticates")
}

// credentials returns the transport security for a listening address. A unix socket and loopback need none.
func (a *access) credentials(address string) (grpc.ServerOption, error) {
	switch {
	case a.cert != "" || a.key != "" || a.clientCA != "" || len(a.allow) > 0:
		return a.mutualTLS()
	case strings.HasPrefix(address, "unix:") || isLoopback(address) || a.plaintext:
		return grpc.Creds(insecure.NewCredentials()), nil
	}
	return nil, fmt.Errorf("listen on %q: reachable from other machines, so it needs --tls-cert, --tls-key, --tls-client-ca and --allow, or --plaintext if the mesh does that", address)
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (a *access) mutualTLS() (grpc.ServerOption, error) {
	if a.cert == "" || a.key == "" || a.clientCA == "" || len(a.allow) == 0 {
		return nil, errors.New("TLS needs all of --tls-cert, --tls-key, --tls-client-ca and --allow")
	}
	pair, err := tls.LoadX509KeyPair(a.cert, a.key)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	pem, err := os.ReadFile(a.clientCA)
	if err != nil {
		return nil, fmt.Errorf("read client authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read client authority: no certificate in %q", a.clientCA)
	}
	return grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS12, VerifyConnection: a.verify,
	})), nil
}

// verify admits the clients that --allow names.
func (a *access) verify(s tls.ConnectionState) error {
	leaf := s.PeerCertificates[0]
	for _, name := range leaf.DNSNames {
		if slices.Contains(a.allow, name) {
			return nil
		}
	}
	for _, uri := range leaf.URIs {
		if slices.Contains(a.allow, uri.String()) {
			return nil
		}
	}
	return fmt.Errorf("client certificate of %q names nobody that --allow lists", leaf.Subject)
}
