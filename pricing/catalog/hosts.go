package catalog

import (
	"fmt"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// hosts finds providers by the hosts that they serve on. The zero value knows none.
type hosts struct {
	exact    map[string]pricing.ProviderName
	patterns []hostPattern
}

// hostPattern is a host with one "*", which stands for one or more characters other than a dot.
type hostPattern struct {
	prefix, suffix string
	provider       pricing.ProviderName
}

// add enters a host or pattern, which must be in lower case, without a port, and new.
func (h *hosts) add(host string, provider pricing.ProviderName) error {
	if host == "" || host != canonicalHost(host) {
		return fmt.Errorf("host %q: want a name in lower case without a port", host)
	}
	if prefix, suffix, ok := strings.Cut(host, "*"); ok {
		if strings.Contains(suffix, "*") || !strings.Contains(suffix, ".") {
			return fmt.Errorf("host %q: want one * with a domain behind it", host)
		}
		h.patterns = append(h.patterns, hostPattern{prefix, suffix, provider})
		return nil
	}
	if _, ok := h.exact[host]; ok {
		return fmt.Errorf("host %q: listed twice", host)
	}
	if h.exact == nil {
		h.exact = make(map[string]pricing.ProviderName)
	}
	h.exact[host] = provider
	return nil
}

// find returns the provider of a host as a client spells it.
func (h *hosts) find(host string) (pricing.ProviderName, bool) {
	host = canonicalHost(host)
	if p, ok := h.exact[host]; ok {
		return p, true
	}
	for _, p := range h.patterns {
		if p.matches(host) {
			return p.provider, true
		}
	}
	return "", false
}

func (p hostPattern) matches(host string) bool {
	rest, ok := strings.CutPrefix(host, p.prefix)
	if !ok {
		return false
	}
	star, ok := strings.CutSuffix(rest, p.suffix)
	return ok && star != "" && !strings.Contains(star, ".")
}

// canonicalHost puts a host in lower case and cuts off the port and the dot of a fully qualified name.
func canonicalHost(host string) string {
	if name, port, ok := strings.Cut(host, ":"); ok && strings.Trim(port, "0123456789") == "" {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
