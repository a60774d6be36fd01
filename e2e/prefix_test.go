package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// prefixed is a policy with a provider that a prefix of the path names. MODE stands for its mode.
const prefixed = `
version: 1
mode: MODE
providers:
  openai: {}
  anthropic: {}
  eu: {vendor: openai, hosts: [eu.test], prefix: /eu}
tiers: {cheap: [eu/gpt-4.1-nano]}
rules: [{name: cheap, when: {header.x-cheap: "1"}, tier: cheap}]
`

func TestAPrefixIsNotSentOn(t *testing.T) {
	elsewhere := chat(ask("gpt-4o", "Hi"))
	elsewhere.host = "eu.test"
	eachEnvoy(t, func(t *testing.T, r release) {
		for _, mode := range []string{"observe", "enforce"} {
			s := newStack(t, setup{envoy: r, policy: strings.Replace(prefixed, "MODE", mode, 1), routes: []string{"eu"}})
			for _, tt := range []struct {
				name, path, upstream string
				call                 call
			}{
				{"call", "/v1/chat/completions", "eu", post("/eu/v1/chat/completions", ask("gpt-4o", "Hi"), "authorization", "Bearer k")},
				{"call for another model", "/v1/chat/completions", "eu", post("/eu/v1/chat/completions", ask("gpt-4o", "Hi"), "authorization", "Bearer k", "x-cheap", "1")},
				{"with a query", "/v1/chat/completions?a=%20b", "eu", post("/eu/v1/chat/completions?a=%20b", ask("gpt-4o", "Hi"), "authorization", "Bearer k")},
				{"no call", "/v1/models", "eu", call{method: "GET", path: "/eu/v1/models"}.with("authorization", "Bearer k")},
				{"by its host", "/v1/chat/completions", "eu", elsewhere},
				{"without the prefix", "/v1/chat/completions", "openai", chat(ask("gpt-4o", "Hi"))},
			} {
				t.Run(mode+" "+tt.name, func(t *testing.T) {
					a := s.send(t, tt.call)
					if a.status != http.StatusOK {
						t.Fatalf("status %d: %s", a.status, a.body)
					}
					s.lines++
					if upstream := s.logged(t, s.lines)[s.lines-1]["upstream"]; upstream != tt.upstream {
						t.Errorf("upstream %v, want %s", upstream, tt.upstream)
					}
					got := s.provider.last(t)
					if got.Path != tt.path {
						t.Errorf("path %s at the provider, want %s", got.Path, tt.path)
					}
					if v, ok := got.Headers["x-envoy-original-path"]; ok {
						t.Errorf("the provider was told the path %s", v)
					}
				})
			}
			s.quiet(t)
		}
	})
}
