package envoy

// Shipped returns the configuration behind the file of m that ships for
// installation by hand: the public providers and one pool of the operator's own.
func Shipped(m Mode) Config {
	return Config{
		Mode:         m,
		Listen:       "127.0.0.1:10000",
		AdminAddress: "127.0.0.1:9901",
		ExtProc:      "unix:/run/farebox/extproc.sock",
		Upstreams: []Upstream{
			{Name: "openai", URLs: []string{"https://api.openai.com"}, Hosts: []string{"api.openai.com"}, Paths: []string{"/v1/"}},
			{
				Name: "anthropic", URLs: []string{"https://api.anthropic.com"}, Hosts: []string{"api.anthropic.com"},
				// Paths that two providers share, as /v1/models, are told apart by these: no key may reach another vendor.
				Headers: []string{"anthropic-version", "anthropic-beta", "x-api-key"}, Paths: []string{"/v1/messages"},
			},
			{
				Name: "google", URLs: []string{"https://generativelanguage.googleapis.com"}, Hosts: []string{"generativelanguage.googleapis.com"},
				// Google serves /v1/models/M:generateContent too, and takes a key as a query parameter.
				Headers: []string{"x-goog-api-key", "x-goog-api-client"}, Queries: []string{"key"}, Paths: []string{"/v1beta/"},
			},
			{Name: "gpu", URLs: []string{"http://127.0.0.1:8000"}},
		},
		Fallback: "openai",
	}
}
