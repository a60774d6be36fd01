package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

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
func (a *access) credentials(address string, logger *slog.Logger) (grpc.ServerOption, error) {
	switch {
	case a.cert != "" || a.key != "" || a.clientCA != "" || len(a.allow) > 0:
		return a.mutualTLS(logger)
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

func (a *access) mutualTLS(logger *slog.Logger) (grpc.ServerOption, error) {
	if a.cert == "" || a.key == "" || a.clientCA == "" || len(a.allow) == 0 {
		return nil, errors.New("TLS needs all of --tls-cert, --tls-key, --tls-client-ca and --allow")
	}
	i := &identity{access: a, logger: logger}
	i.seen = i.look()
	var err error
	if i.config, err = a.config(); err != nil {
		return nil, err
	}
	return grpc.Creds(credentials.NewTLS(&tls.Config{GetConfigForClient: i.forClient, MinVersion: tls.VersionTLS12})), nil
}

// config reads the certificate files.
func (a *access) config() (*tls.Config, error) {
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
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, VerifyConnection: a.verify,
		// A session that is resumed would be trusted by an authority that is not trusted any more.
		SessionTicketsDisabled: true,
	}, nil
}

// identity is the server's certificate and the authority of its clients. Meshes issue certificates for hours, so the
// files are read again when they have changed, at the next handshake. Its methods may run together.
type identity struct {
	access *access
	logger *slog.Logger

	mu     sync.Mutex
	seen   [3]fs.FileInfo // guarded by mu: of the files that were last read, or tried
	config *tls.Config    // guarded by mu: the last good one
}

// forClient returns the configuration for a handshake. While the files are missing or do not fit each other, the
// last good ones stay, and the logger hears of it once per change.
func (i *identity) forClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.look()
	if slices.EqualFunc(now[:], i.seen[:], sameFile) {
		return i.config, nil
	}
	i.seen = now
	config, err := i.access.config()
	if err != nil {
		i.logger.LogAttrs(hello.Context(), slog.LevelWarn, "certificates not read again, the last ones stay",
			slog.String("file", i.access.cert), slog.Any("err", err))
		return i.config, nil
	}
	i.config = config
	return config, nil
}

// look returns what the files are now, nil for one that is missing.
func (i *identity) look() (files [3]fs.FileInfo) {
	for n, path := range [...]string{i.access.cert, i.access.key, i.access.clientCA} {
		if info, err := os.Stat(path); err == nil {
			files[n] = info
		}
	}
	return files
}

// sameFile reports whether a file is what it was.
func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
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
