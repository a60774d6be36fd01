package exchange

import "github.com/farebox-mesh/farebox/extproc/internal/ledger"

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
