package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// contentPolicy allows the page its own style sheet and nothing else.
const contentPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard sets the headers that keep browsers strict, and on loopback refuses foreign host names.
func guard(next http.Handler, loopback bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", contentPolicy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cache-Control", "no-store")
		if loopback && !isLoopback(r.Host) {
			plain(w, http.StatusMisdirectedRequest, "this port answers to localhost, 127.0.0.1 and [::1] only\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback reports whether a Host header, with or without port, names this machine by a name that no DNS
// server can point elsewhere. RFC 6761, section 6.3, reserves localhost and what ends in it.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
