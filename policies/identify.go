package policies

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// Identify finds whom a request addresses: by host, else by a configured path prefix, else the vendor whose API the
// path is, else the vendor that path and headers speak of. It returns no name where nothing tells. header may be
// nil.
func (s *Set) Identify(host, path string, api provider.API, header func(name string) string) (RouteName, pricing.ProviderName) {
	if p := s.byHost(host); p != nil {
		return p.Name, p.Vendor
	}
	if p := s.byPrefix(path); p != nil {
		return p.Name, p.Vendor
	}
	vendor := api.Vendor()
	if vendor == "" {
		vendor = provider.VendorOf(path, header)
	}
	for i := range s.policy.Providers {
		if p := &s.policy.Providers[i]; p.Vendor == vendor && vendor != "" {
			return p.Name, p.Vendor
		}
	}
	return RouteName(vendor), vendor
}

// Addressed reports whether the policy names whom a request to host and path addresses. Otherwise Identify goes by what
// it looks like, and somebody else may answer it.
func (s *Set) Addressed(host, path string) bool {
	return s.byHost(host) != nil || s.byPrefix(path) != nil
}

// ProviderPath returns a path, query included, as the provider knows it that Identify finds for host and path:
// without the prefix that tells whom the request addresses, where one does.
func (s *Set) ProviderPath(host, path string) string {
	if s.byHost(host) != nil {
		return path
	}
	p := s.byPrefix(path)
	if p == nil {
		return path
	}
	rest := path[len(p.Prefix):]
	if !strings.HasPrefix(rest, "/") {
		return "/" + rest
	}
	return rest
}

// byPrefix returns the provider whose prefix a path has, nil for none.
func (s *Set) byPrefix(path string) *Provider {
	var longest *Provider
	for i := range s.policy.Providers {
		p := &s.policy.Providers[i]
		if p.Prefix != "" && strings.HasPrefix(path, p.Prefix) && endsSegment(path, len(p.Prefix)) &&
			(longest == nil || len(p.Prefix) > len(longest.Prefix)) {
			longest = p
		}
	}
	return longest
}

func (s *Set) byHost(host string) *Provider {
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:colon]
	}
	for i := range s.policy.Providers {
		p := &s.policy.Providers[i]
		for _, h := range p.Hosts {
			if strings.EqualFold(h, host) {
				return p
			}
		}
	}
	return nil
}

// endsSegment reports whether a path, query included, ends a segment at that place.
func endsSegment(path string, at int) bool {
	return len(path) == at || path[at] == '/' || path[at] == '?'
}
