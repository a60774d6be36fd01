package filter

// signals is where the policy reads who pays: the request and the proxy.
type signals struct{ x *Exchange }

func (s signals) Header(name string) string { return s.x.in.header(name) }
func (s signals) Claim(name string) string  { return s.x.host.Claim(name) }
func (s signals) PeerURI() string           { return s.x.host.PeerURI() }

// Account implements policies.Signals: only budgets ask, and the filter holds none.
func (s signals) Account() string { return "" }
