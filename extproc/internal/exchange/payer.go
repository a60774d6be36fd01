package exchange

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// signals is where the policy reads who pays: the request and what the proxy verified of it.
type signals struct{ x *Exchange }

// Header implements policies.Signals.
func (s signals) Header(name string) string { return s.x.in.header(name) }

// Claim implements policies.Signals.
func (s signals) Claim(name string) string {
	if s.x.in.Claim == nil {
		return ""
	}
	return s.x.in.Claim(name)
}

// PeerURI implements policies.Signals.
func (s signals) PeerURI() string { return s.x.in.PeerURI }

// Account implements policies.Signals.
func (s signals) Account() string { return Account(s.x.addressed(), s.x.in.joined, s.x.in.Path) }

// Account names the key that a request carries for a vendor, "" for one that is only guessed, by a hash of it, so that a
// ledger holds no keys: "" where it carries none, or several. See provider.CallerKey, which also says what header is.
func Account(vendor pricing.ProviderName, header func(name string) string, path string) string {
	key := provider.CallerKey(vendor, header, path)
	if key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

// addressed is the vendor that the policy says the request is for, "" where the path alone tells.
func (x *Exchange) addressed() pricing.ProviderName {
	if x.snap.Set.Addressed(x.in.Host, x.in.Path) {
		return x.vendor
	}
	return ""
}

// identifyPayers reads who pays, as policies and as the ledger name it.
func (x *Exchange) identifyPayers() {
	x.dims = x.snap.Set.Payers(signals{x})
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
