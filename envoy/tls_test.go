package envoy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Google's certificate names *.googleapis.com, not the host that is called.
func TestCertificatesOfProvidersAreVerified(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, envoy string) {
		for _, tt := range []struct {
			name, certified string
			status          int
		}{
			{"wildcard", "*.provider.localhost", 200},
			{"exact", "api.provider.localhost", 200},
			{"another host", "api.other.localhost", 503},
		} {
			t.Run(tt.name, func(t *testing.T) {
				provider, ca := newTLSProvider(t, tt.certified)
				c := newProviders(t).config(t, Observe)
				c.TrustedCA = ca
				c.Upstreams[0].URLs = []string{"https://api.provider.localhost" + provider.URL[strings.LastIndex(provider.URL, ":"):]}
				status, body := send(t, start(t, envoy, c), call{path: "/v1/x"})
				if status != tt.status {
					t.Errorf("status %d, want %d; body %s", status, tt.status, body)
				}
			})
		}
	})
}

// newTLSProvider starts a server with a self-signed certificate for host, and
// returns it with the file of that certificate.
func newTLSProvider(t *testing.T, host string) (provider *httptest.Server, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	provider = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Proto, r.Host)
	}))
	provider.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	provider.EnableHTTP2 = true
	provider.StartTLS()
	t.Cleanup(provider.Close)
	return provider, ca
}
