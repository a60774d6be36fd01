package exchange

import (
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// readdress turns path and credentials to the upstream that serves the call. It reports whether the upstream's
// own credential, where the policy names one, can be had.
func (x *Exchange) readdress(reply *Reply) bool {
	moved := x.served.Route != x.route
	path := x.call.RewritePath(x.served.Edit)
	if moved {
		path = provider.PathAt(x.served.Vendor, x.call.API, path)
	}
	credential := x.snap.Set.Credential(x.served.Route)
	if moved || !credential.Caller {
		path = withoutKey(path)
		reply.Remove = append(reply.Remove, x.credentials(moved)...)
	}
	if path != x.in.Path {
		reply.Set = append(reply.Set, Header{":path", path})
	}
	if credential.File == "" {
		return true
	}
	secret, ok := x.c.credentials.Get(x.served.Route)
	if !ok {
		return false
	}
	name, value := authorize(x.served.Vendor, secret.Reveal())
	reply.Set = append(reply.Set, Header{name, value})
	reply.Remove = slices.DeleteFunc(reply.Remove, func(n string) bool { return n == name })
	return true
}

// credentials lists the headers of the request that carry the caller's account. What a vendor's API needs
// besides (anthropic-version) stays with the vendor.
func (x *Exchange) credentials(moved bool) []string {
	var names []string
	for i := range x.in.Headers {
		name := x.in.Headers[i].Name
		account := slices.Contains(credentialHeaders, name) || strings.HasPrefix(name, "openai-")
		for _, p := range credentialPrefixes {
			account = account || (moved && strings.HasPrefix(name, p))
		}
		if account && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// authorize is the header in which a vendor takes its key.
func authorize(vendor pricing.ProviderName, key string) (name, value string) {
	switch vendor {
	case provider.Anthropic:
		return "x-api-key", key
	case provider.Google:
		return "x-goog-api-key", key
	}
	return "authorization", "Bearer " + key
}

// withoutKey removes the key parameter from a query.
func withoutKey(path string) string {
	base, query, found := strings.Cut(path, "?")
	if !found {
		return path
	}
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool {
		return p == "key" || strings.HasPrefix(p, "key=")
	})
	if len(kept) == 0 {
		return base
	}
	return base + "?" + strings.Join(kept, "&")
}
