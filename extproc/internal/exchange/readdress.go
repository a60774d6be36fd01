package exchange

import (
	"slices"

	"github.com/farebox-mesh/farebox/pricing/provider"
)

// readdress turns path and credentials to the upstream that serves the call. It reports whether the upstream's
// own credential, where the policy names one, can be had.
func (x *Exchange) readdress(reply *Reply) bool {
	moved := x.served.Route != x.route
	path := x.snap.Set.ProviderPath(x.in.Host, x.call.RewritePath(x.served.Edit))
	if moved {
		path = provider.PathAt(x.served.Vendor, x.call.API, path)
	}
	credential := x.snap.Set.Credential(x.served.Route)
	if moved || !credential.Caller {
		path = provider.WithoutKey(path)
		reply.Remove = append(reply.Remove, x.credentials(moved)...)
	}
	if path != x.in.Path {
		reply.Set = append(reply.Set, Header{":path", path})
	}
	if credential.File == "" {
		return true
	}
	secret, ok := x.snap.Credentials.Get(x.served.Route)
	if !ok {
		return false
	}
	name, value := provider.Authorize(x.served.Vendor, x.call.API, secret.Reveal())
	reply.Set = append(reply.Set, Header{name, value})
	reply.Remove = slices.DeleteFunc(reply.Remove, func(n string) bool { return n == name })
	return true
}

// credentials lists the headers of the request that carry the caller's account.
func (x *Exchange) credentials(moved bool) []string {
	var names []string
	for i := range x.in.Headers {
		name := x.in.Headers[i].Name
		if provider.IsCredential(name, x.vendor, x.served.Vendor, moved) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
