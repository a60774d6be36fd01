package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// identified is a policy that goes by who calls. SOURCE stands for where that is read.
const identified = `
version: 1
mode: enforce
dimensions:
  team: SOURCE
tiers: {cheap: [openai/gpt-4.1-nano]}
rules: [{when: {team: [shop, "7"]}, tier: cheap}]
budgets: [{name: teams, per: team, limit: $1 per day}]
`

func identifiedBy(source string) string { return strings.Replace(identified, "SOURCE", source, 1) }

// issuer signs tokens.
type issuer ed25519.PrivateKey

func newIssuer(t *testing.T) issuer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issuer(key)
}

// token is a JWT with the claims, which are JSON.
func (i issuer) token(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"EdDSA","kid":"k"}`)) + "." + encode([]byte(claims))
	return text + "." + encode(ed25519.Sign(ed25519.PrivateKey(i), []byte(text)))
}

// verify adds to Envoy what verifies the issuer's tokens, in a header of their own: the keys of providers are in
// authorization. Calls without a token pass.
func (i issuer) verify(config string) string {
	public := base64.RawURLEncoding.EncodeToString(ed25519.PrivateKey(i).Public().(ed25519.PublicKey))
	const before = "          - name: farebox.ext_proc\n"
	filter := fmt.Sprintf(`          - name: envoy.filters.http.jwt_authn
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
              providers:
                company:
                  issuer: https://id.example
                  local_jwks: {inline_string: '{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"k","x":"%s"}]}'}
                  from_headers: [{name: x-id-token}]
                  payload_in_metadata: company
              rules: [{match: {prefix: /}, requires: {requires_any: {requirements: [{provider_name: company}, {allow_missing: {}}]}}}]
`, public)
	return strings.Replace(config, before, filter+before, 1)
}

func TestATokenTellsWhoPays(t *testing.T) {
	company, stranger := newIssuer(t), newIssuer(t)
	const shop = `{"iss":"https://id.example","sub":"ann","team":"shop"}`
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: identifiedBy("[header:x-team, jwt:team]"), edit: company.verify})
		for _, tt := range []struct {
			name, token, label string
			model              string
		}{
			{"text", company.token(shop), "", "gpt-4.1-nano"},
			{"a number", company.token(strings.Replace(shop, `"shop"`, "7", 1)), "", "gpt-4.1-nano"},
			{"another team", company.token(strings.Replace(shop, "shop", "labs", 1)), "", "gpt-4o"},
			{"that a label does not hide", company.token(shop), "labs", "gpt-4.1-nano"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				c := chat(ask("gpt-4o", "Hi")).with("x-id-token", tt.token)
				if tt.label != "" {
					c = c.with("x-team", tt.label)
				}
				if got := s.ok(t, c).header.Get("x-farebox-model"); got != tt.model {
					t.Errorf("model %q, want %q", got, tt.model)
				}
			})
		}
		s.quiet(t)
		if a := s.send(t, chat(ask("gpt-4o", "Hi")).with("x-id-token", stranger.token(shop))); a.status != http.StatusUnauthorized {
			t.Errorf("status %d for a stranger's token, want 401", a.status)
		}
		wantScopes(t, s.settled(t, 4), "7", "labs", "shop")
	})
}

// wantScopes fails the test unless each scope has spent something, and nobody else has.
func wantScopes(t *testing.T, sum summary, scopes ...string) {
	t.Helper()
	for _, b := range sum.Budgets {
		known := false
		for _, scope := range scopes {
			known = known || strings.HasSuffix(b.Scope, scope)
		}
		if !known && b.Spent+b.Reserved > 0 || known && b.Spent == 0 {
			t.Errorf("scope %q has spent %s USD", b.Scope, b.Spent)
		}
	}
	if len(sum.Budgets) != len(scopes) {
		t.Errorf("budgets %+v, want one for each of %q", sum.Budgets, scopes)
	}
}

// authority issues certificates and keeps them as files.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue makes NAME.pem and NAME.key. The first certificate is the authority's own.
func (a *authority) issue(t *testing.T, name string, c *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if a.cert == nil {
		a.cert, a.key = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(a.file(name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// require makes Envoy's listener ask for certificates, as a sidecar of a mesh does.
func (a *authority) require(config string) string {
	const filters = "    - filters:\n"
	socket := fmt.Sprintf(`    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context:
            tls_certificates: [{certificate_chain: {filename: %q}, private_key: {filename: %q}}]
            validation_context: {trusted_ca: {filename: %q}}
      filters:
`, a.file("server.pem"), a.file("server.key"), a.file("ca.pem"))
	return strings.Replace(config, filters, socket, 1)
}

// client returns a client with a certificate for a SPIFFE id.
func (a *authority) client(t *testing.T, name, id string) *http.Client {
	t.Helper()
	uri, err := url.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	a.issue(t, name, &x509.Certificate{URIs: []*url.URL{uri}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	pair, err := tls.LoadX509KeyPair(a.file(name+".pem"), a.file(name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	text, err := os.ReadFile(a.file("ca.pem"))
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatalf("authority: %v", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestACertificateTellsWhoPays(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		ca := newAuthority(t)
		ca.issue(t, "server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		s := newStack(t, setup{envoy: r, policy: identifiedBy("[mtls:namespace]"), edit: ca.require})
		for namespace, want := range map[string]string{"shop": "gpt-4.1-nano", "labs": "gpt-4o"} {
			hc := ca.client(t, namespace, "spiffe://cluster.local/ns/"+namespace+"/sa/web")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			res, err := open(ctx, hc, strings.Replace(s.url, "http:", "https:", 1), chat(ask("gpt-4o", "Hi")))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var body struct{ Model string }
			if err := json.NewDecoder(res.Body).Decode(&body); err != nil || !strings.HasPrefix(body.Model, want) {
				rest, _ := io.ReadAll(res.Body)
				t.Errorf("namespace %s: status %d, model %q, %v, want %s: %s", namespace, res.StatusCode, body.Model, err, want, rest)
			}
		}
		wantScopes(t, s.settled(t, 2), "labs", "shop")
		s.quiet(t)
	})
}
