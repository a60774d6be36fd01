package exchange

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

// signals is where the policy reads who pays: the request and what the proxy verified of it.
type signals struct{ in *Incoming }

// Header implements policies.Signals.
func (s signals) Header(name string) string { return s.in.header(name) }

// Claim implements policies.Signals.
func (s signals) Claim(name string) string {
	if s.in.Claim == nil {
		return ""
	}
	return s.in.Claim(name)
}

// PeerURI implements policies.Signals.
func (s signals) PeerURI() string { return s.in.PeerURI }

// Account implements policies.Signals.
func (s signals) Account() string { return Account(s.in.joined, s.in.Path) }

// Account names the key that a request carries by a hash of it, so that a ledger holds no keys: "" where it carries
// none. A request with several keys has no account either, as only the provider knows which of them it looks at, and
// whoever may choose the other could be somebody else on every call. header returns all values of a header, joined with
// commas, as proxies join them: a comma makes several keys, except in a signature of AWS, see signer.
func Account(header func(name string) string, path string) string {
	found, several := "", false
	add := func(key string) {
		several = several || key != "" && found != "" || strings.Contains(key, ",")
		found = cmp.Or(found, key)
	}
	for _, name := range [...]string{"authorization", "x-api-key", "api-key", "x-goog-api-key"} {
		key := strings.TrimSpace(header(name))
		if name == "authorization" {
			key = bearer(key)
		}
		add(key)
	}
	if _, query, ok := strings.Cut(path, "?"); ok {
		values, err := url.ParseQuery(query)
		several = several || err != nil
		for _, key := range values["key"] {
			add(key)
		}
	}
	if found == "" || several {
		return ""
	}
	sum := sha256.Sum256([]byte(found))
	return hex.EncodeToString(sum[:8])
}

// bearer returns what an authorization header has the same on every call.
func bearer(authorization string) string {
	if key, ok := signer(authorization); ok {
		return key
	}
	words := strings.Fields(authorization)
	if len(words) > 1 {
		words[0] = strings.ToLower(words[0])
	}
	return strings.Join(words, " ")
}

// signer returns the access key of a signature of AWS, which is another on every call. Keys of sessions, whose names
// begin otherwise, are none: whoever has one may have as many as they like.
// Source: "Signature Version 4", "Authorization header", and "IAM identifiers", "Unique ID prefixes", of AWS's manuals.
func signer(authorization string) (string, bool) {
	rest, ok := strings.CutPrefix(authorization, "AWS4-HMAC-SHA256 ")
	parts := strings.Split(rest, ",")
	if !ok || len(parts) != 3 {
		return "", false
	}
	for i, name := range [...]string{"Credential=AKIA", "SignedHeaders=", "Signature="} {
		value, ok := strings.CutPrefix(strings.TrimLeft(parts[i], " "), name)
		if !ok || strings.ContainsAny(value, " \t") {
			return "", false
		}
		parts[i] = value
	}
	key, _, ok := strings.Cut(parts[0], "/")
	return "aws4 AKIA" + key, ok
}

// identifyPayers reads who pays, as policies and as the ledger name it.
func (x *Exchange) identifyPayers() {
	x.dims = x.snap.Set.Payers(signals{&x.in})
	if len(x.dims) == 0 {
		return
	}
	x.payers = make([]ledger.Dim, 0, len(x.dims))
	for i := range x.dims {
		if v := &x.dims[i]; v.Value != "" {
			x.payers = append(x.payers, ledger.Dim{Name: v.Name, Value: v.Value, Verified: v.Verified})
		}
	}
}
