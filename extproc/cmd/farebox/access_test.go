package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

func TestWhoMayListenWhere(t *testing.T) {
	for _, tt := range []struct {
		address string
		access  access
		refused string // part of the error; "" is allowed
	}{
		{"unix:/run/farebox.sock", access{}, ""},
		{"127.0.0.1:9901", access{}, ""},
		{"[::1]:9901", access{}, ""},
		{"localhost:9901", access{}, ""},
		{"10.0.0.1:9901", access{}, "reachable from other machines"},
		{":9901", access{}, "reachable from other machines"},
		{"0.0.0.0:9901", access{}, "reachable from other machines"},
		{"example.com:9901", access{}, "reachable from other machines"},
		{"127.0.0.1", access{}, "reachable from other machines"},
		{"0.0.0.0:9901", access{plaintext: true}, ""},
		{"0.0.0.0:9901", access{cert: "c", key: "k"}, "TLS needs all"},
		{"0.0.0.0:9901", access{cert: "c", key: "k", clientCA: "ca"}, "TLS needs all"},
		{"0.0.0.0:9901", access{plaintext: true, allow: list{"envoy"}}, "TLS needs all"},
		{"unix:/run/farebox.sock", access{allow: list{"envoy"}}, "TLS needs all"},
		{"0.0.0.0:9901", access{cert: "/nowhere", key: "/nowhere", clientCA: "/nowhere", allow: list{"envoy"}}, "read certificate"},
	} {
		option, err := tt.access.credentials(tt.address, slog.New(slog.DiscardHandler))
		if (err == nil) != (tt.refused == "") || (err == nil) != (option != nil) || (err != nil && !strings.Contains(err.Error(), tt.refused)) {
			t.Errorf("%s with %+v: %v, want %q", tt.address, tt.access, err, tt.refused)
		}
	}
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a := &authority{pool: x509.NewCertPool()}
	a.cert, a.key = sign(t, template, template, nil)
	a.pool.AddCert(a.cert)
	return a
}

func sign(t *testing.T, template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	return cert, key
}

// issue returns a certificate of a DNS name or URI.
func (a *authority) issue(t *testing.T, name string, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{usage}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if uri, err := url.Parse(name); err == nil && uri.Scheme != "" {
		template.URIs = []*url.URL{uri}
	} else {
		template.DNSNames = []string{name}
	}
	cert, key := sign(t, template, a.cert, a.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// write puts PEM blocks into a file of a folder.
func write(t *testing.T, dir, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	check(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files writes what a server of the authority's needs, and returns the access rule that reads it.
func (a *authority) files(t *testing.T, dir string) access {
	t.Helper()
	server := a.issue(t, "farebox.test", x509.ExtKeyUsageServerAuth)
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	check(t, err)
	return access{
		cert: write(t, dir, "cert.pem", "CERTIFICATE", server.Certificate[0]), key: write(t, dir, "key.pem", "PRIVATE KEY", key),
		clientCA: write(t, dir, "ca.pem", "CERTIFICATE", a.cert.Raw), allow: list{"envoy.test", "spiffe://td/ns/mesh/sa/envoy"},
	}
}

// ask returns what a client with certificates meets at a server whose authority it trusts.
func (a *authority) ask(t *testing.T, address string, maxVersion uint16, client ...tls.Certificate) error {
	t.Helper()
	creds := credentials.NewTLS(&tls.Config{RootCAs: a.pool, ServerName: "farebox.test", Certificates: client, MaxVersion: maxVersion, MinVersion: tls.VersionTLS10})
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	check(t, err)
	defer func() { check(t, conn.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	return err
}

// A mesh issues certificates for hours: what replaces them holds from the next connection on.
func TestCertificatesAreReadAgain(t *testing.T) {
	before, after, dir := newAuthority(t), newAuthority(t), t.TempDir()
	address := serveHealth(t, before.files(t, dir))
	client := func(a *authority) tls.Certificate { return a.issue(t, "envoy.test", x509.ExtKeyUsageClientAuth) }
	if err := before.ask(t, address, 0, client(before)); err != nil {
		t.Fatal(err)
	}
	check(t, os.Remove(filepath.Join(dir, "key.pem")))
	if err := before.ask(t, address, 0, client(before)); err != nil {
		t.Errorf("while the files are being replaced: %v", err)
	}
	after.files(t, dir)
	if err := after.ask(t, address, 0, client(after)); err != nil {
		t.Errorf("the new authority: %v", err)
	}
	if after.ask(t, address, 0, client(before)) == nil {
		t.Error("a client of the old authority still gets through")
	}
}

func TestOnlyAllowedClientsGetThroughTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	address := serveHealth(t, ours.files(t, t.TempDir()))
	for _, tt := range []struct {
		name   string
		client []tls.Certificate
		max    uint16
		ok     bool
	}{
		{"an allowed DNS name", []tls.Certificate{ours.issue(t, "envoy.test", x509.ExtKeyUsageClientAuth)}, 0, true},
		{"an allowed URI", []tls.Certificate{ours.issue(t, "spiffe://td/ns/mesh/sa/envoy", x509.ExtKeyUsageClientAuth)}, 0, true},
		{"another name", []tls.Certificate{ours.issue(t, "other.test", x509.ExtKeyUsageClientAuth)}, 0, false},
		{"another authority", []tls.Certificate{theirs.issue(t, "envoy.test", x509.ExtKeyUsageClientAuth)}, 0, false},
		{"a server's certificate", []tls.Certificate{ours.issue(t, "envoy.test", x509.ExtKeyUsageServerAuth)}, 0, false},
		{"no certificate", nil, 0, false},
		{"an old protocol", []tls.Certificate{ours.issue(t, "envoy.test", x509.ExtKeyUsageClientAuth)}, tls.VersionTLS11, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := ours.ask(t, address, tt.max, tt.client...); (err == nil) != tt.ok {
				t.Errorf("got %v, want success %t", err, tt.ok)
			}
		})
	}
}

// serveHealth serves nothing but health under an access rule.
func serveHealth(t *testing.T, a access) (address string) {
	t.Helper()
	option, err := a.credentials("0.0.0.0:0", slog.New(slog.NewTextHandler(t.Output(), nil)))
	check(t, err)
	server := grpc.NewServer(option)
	healthv1.RegisterHealthServer(server, health.NewServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); check(t, <-done) })
	return l.Addr().String()
}
