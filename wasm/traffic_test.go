package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/envoy"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

const (
	chatStream = `data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"yes"},"finish_reason":null}]}` + "\n\n" +
		`data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"id":"c","model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100}}` + "\n\n" +
		"data: [DONE]\n\n"
	geminiAnswer = `{"candidates":[{"content":{"parts":[{"text":"yes"}]},"finishReason":"STOP"}],"modelVersion":"gemini-2.5-flash",` +
		`"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":100}}`
)

// testPolicy moves calls labelled "intent" to a model a tenth as dear, and those labelled "own" to a pool.
func testPolicy(mode policies.Mode) []byte {
	caller := policies.Credential{Caller: true}
	rule := func(key, value, tier string) policies.Rule {
		when := policies.Match{Dimensions: []policies.Condition{{Key: key, Values: []string{value}}}}
		return policies.Rule{Name: policies.RuleName(value), When: when, Tier: policies.TierName(tier)}
	}
	price := func(provider pricing.ProviderName, model pricing.ModelName, dollars pricing.Rate) pricing.Listing {
		r := pricing.Rates{Input: dollars * pricing.Rate(pricing.Dollar), Output: 2 * dollars * pricing.Rate(pricing.Dollar)}
		return pricing.Listing{Provider: provider, Model: model, Price: pricing.Price{Rates: r}, Limits: pricing.Limits{Context: 100_000, MaxOutput: 8_000}}
	}
	claimed, numbered := rule("team", "shop", "small"), rule("level", "*", "small")
	claimed.When.Paths, numbered.When.Paths = []string{"/claim/*"}, []string{"/number/*"}
	numbered.Name = "level"
	p := policies.Policy{
		Mode: mode,
		Providers: []policies.Provider{
			{Name: "openai", Vendor: "openai", Credential: caller}, {Name: "google", Vendor: "google", Credential: caller},
			{Name: "eu", Vendor: "google", Prefix: "/eu", Credential: caller},
		},
		Dimensions: []policies.Dimension{
			{Name: "feature", Sources: []policies.Source{{Kind: policies.FromHeader, Key: "x-farebox-feature"}}},
			{Name: "team", Sources: []policies.Source{{Kind: policies.FromJWT, Key: "team"}}},
			{Name: "level", Sources: []policies.Source{{Kind: policies.FromJWT, Key: "level"}}},
		},
		Tiers: []policies.Tier{
			{Name: "small", Models: []policies.ModelRef{{Route: "openai", Model: "gpt-4o-mini"}, {Route: "google", Model: "gemini-2.5-flash"}}},
			{Name: "own", Models: []policies.ModelRef{{Route: "gpu", Model: "llama"}}},
		},
		Rules:   []policies.Rule{rule("feature", "intent", "small"), rule("feature", "own", "own"), claimed, numbered},
		Pools:   []policies.Pool{{Name: "gpu", GPUHour: 2 * pricing.Dollar, GPUs: 1, Throughput: 1000, Use: policies.Always}},
		Unknown: policies.UnknownModel{Refuse: true},
	}
	return policies.AppendJSON(nil, &p, []pricing.Listing{
		price("openai", "gpt-4o", 10), price("openai", "gpt-4o-mini", 1), price("google", "gemini-2.5-pro", 10), price("google", "gemini-2.5-flash", 1),
	})
}

// upstream is what a provider got and when it goes on.
type upstream struct {
	got  chan sent
	next chan string // a piece of the answer; an empty one ends it
}

// sent is a request as an upstream received it.
type sent struct {
	name, path, body string
	length           int64
	header           http.Header
}

func (s sent) String() string { return fmt.Sprintf("%s %s %s", s.name, s.path, s.body) }

// providers starts an upstream for each name; all report to one place, and answer piece by piece as they are told.
func providers(t *testing.T, names ...string) (upstream, map[string]string) {
	t.Helper()
	u := upstream{got: make(chan sent, 1), next: make(chan string)}
	urls := map[string]string{}
	for _, name := range names {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("%s: read body: %v", name, err)
			}
			u.got <- sent{name, r.URL.String(), string(body), r.ContentLength, r.Header}
			w.Header().Set("content-type", "text/event-stream")
			for piece := range u.next {
				_, _ = io.WriteString(w, piece) // fails where the client of a test is gone
				_ = http.NewResponseController(w).Flush()
				if piece == "" {
					return
				}
			}
		}))
		t.Cleanup(s.Close)
		urls[name] = s.URL
	}
	return u, urls
}

// reply is what a client got.
type reply struct {
	status      int
	contentType string
	body        io.Reader
	err         error
}

// call sends a request and answers it with pieces, each of which must have reached the client before the next one
// leaves. It returns what the upstream got, which is nothing where the proxy answered, and what the client got.
func (u upstream) call(t *testing.T, client http.RoundTripper, req *http.Request, pieces ...string) (sent, reply) {
	t.Helper()
	pieces = append(pieces, "") // which ends the answer
	got, r := u.begin(t, client, req, pieces[0])
	if got.name == "" {
		return got, r
	}
	for _, piece := range pieces[1:] {
		u.next <- piece
		expect(t, r, piece)
	}
	if rest, err := io.ReadAll(r.body); err != nil || len(rest) > 0 {
		t.Errorf("after the answer came %q, %v", rest, err)
	}
	return got, r
}

// begin is call up to the first piece of the answer, with which the upstream sends its headers.
func (u upstream) begin(t *testing.T, client http.RoundTripper, req *http.Request, piece string) (sent, reply) {
	t.Helper()
	answered := make(chan reply, 1)
	go func() { // ends with the response headers, which come below or fail the test
		res, err := client.RoundTrip(req)
		if err != nil {
			answered <- reply{err: err}
			return
		}
		t.Cleanup(func() { res.Body.Close() })
		answered <- reply{res.StatusCode, res.Header.Get("content-type"), res.Body, nil}
	}()
	select {
	case r := <-answered:
		if r.err != nil {
			t.Fatal(r.err)
		}
		return sent{}, r
	case got := <-u.got:
		u.next <- piece
		r := <-answered
		if r.err != nil {
			t.Fatal(r.err)
		}
		expect(t, r, piece)
		return got, r
	}
}

func expect(t *testing.T, r reply, piece string) {
	t.Helper()
	text := make([]byte, len(piece))
	if _, err := io.ReadFull(r.body, text); err != nil || string(text) != piece {
		t.Fatalf("client got %q, %v, want %q", text, err, piece)
	}
}

func (p proxy) request(t *testing.T, path, body string, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return req
}

// claims puts a filter before ours that leaves what jwt_authn leaves of a token.
func claims(config string) string {
	const before = "          - name: farebox.wasm\n"
	const filter = "          - {name: claims, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config,\n" +
		"              metadata: [{metadata_namespace: envoy.filters.http.jwt_authn, value: {issuer: {level: 3, team: shop}}}]}}\n"
	return strings.Replace(config, before, filter+before, 1)
}

// overHTTP2 is a client that speaks HTTP/2 without TLS.
func overHTTP2(t *testing.T) http.RoundTripper {
	t.Helper()
	client := &http.Transport{Protocols: new(http.Protocols)}
	client.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestEnforceMode(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, binary string) {
		u, urls := providers(t, "openai", "google", "eu", "gpu")
		p := start(t, binary, configuration(t, envoy.Enforce, testPolicy(policies.Enforce), urls), claims)
		t.Run("chat stream", func(t *testing.T) {
			const path, body = "/a/v1/chat/completions", `{"stream":true, "model":"gpt-4o","messages":[{"role":"user","content":"é"}]}`
			req := p.request(t, path, body, "x-farebox-feature", "intent", "authorization", "k", "x-farebox-route", "gpu", "x-farebox-cost", "0")
			got, _ := u.call(t, http.DefaultTransport, req, chatStream[:100], chatStream[100:300], chatStream[300:])
			want := sent{name: "openai", path: path, body: strings.Replace(body, "gpt-4o", "gpt-4o-mini", 1)}
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("upstream got (-want +got):\n%s", diff)
			}
			h := got.header
			if got.length != int64(len(want.body)) || h.Get("accept-encoding") != "identity" || h.Get("authorization") != "k" {
				t.Errorf("upstream got length %d and headers %v", got.length, h)
			}
			if h.Get("x-farebox-route")+h.Get("x-farebox-cost") != "" || h.Get("x-farebox-feature") != "intent" {
				t.Errorf("upstream got headers %v: want the label and no other of farebox's", h)
			}
			checkLog(t, p, path, "openai", record{
				Decision: "tier", Route: "openai", Rule: "intent", Tier: "small", Model: "gpt-4o-mini", RequestedModel: "gpt-4o",
				CostUSD: "0.001200000", BaselineUSD: "0.012000000", Usage: map[string]int64{"input": 1000, "output": 100},
			})
		})
		t.Run("Gemini path", func(t *testing.T) {
			const body = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
			got, _ := u.call(t, http.DefaultTransport, p.request(t, "/v1beta/models/gemini-2.5-pro:generateContent?key=k", body, "x-farebox-feature", "intent"), geminiAnswer)
			want := sent{name: "google", path: "/v1beta/models/gemini-2.5-flash:generateContent?key=k", body: body}
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("upstream got (-want +got):\n%s", diff)
			}
			// Envoy logs the path as it left.
			checkLog(t, p, "/v1beta/models/gemini-2.5-flash:generateContent", "google", record{
				Decision: "tier", Route: "google", Rule: "intent", Tier: "small", Model: "gemini-2.5-flash", RequestedModel: "gemini-2.5-pro",
				CostUSD: "0.001200000", BaselineUSD: "0.012000000", Usage: map[string]int64{"input": 1000, "output": 100},
			})
		})
		t.Run("pool", func(t *testing.T) {
			const body = `{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}`
			req := p.request(t, "/v1/chat/completions?key=k", body, "x-farebox-feature", "own", "authorization", "k", "cookie", "c", "openai-project", "p")
			got, _ := u.call(t, http.DefaultTransport, req, chatStream)
			want := sent{name: "gpu", path: "/v1/chat/completions", body: strings.Replace(body, "gpt-4o", "llama", 1)}
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("upstream got (-want +got):\n%s", diff)
			}
			for _, name := range []string{"authorization", "cookie", "openai-project"} {
				if v := got.header.Get(name); v != "" {
					t.Errorf("the pool was told %s: %s", name, v)
				}
			}
		})
		t.Run("claim of a token", func(t *testing.T) {
			const path, body = "/claim/v1/chat/completions", `{"model":"gpt-4o","messages":[]}`
			got, _ := u.call(t, http.DefaultTransport, p.request(t, path, body), chatStream)
			if want := strings.Replace(body, "gpt-4o", "gpt-4o-mini", 1); got.body != want {
				t.Errorf("upstream got %s, want %s", got.body, want)
			}
		})
		t.Run("claim that is a number", func(t *testing.T) {
			const path, body = "/number/v1/chat/completions", `{"model":"gpt-4o","messages":[]}`
			if got, _ := u.call(t, http.DefaultTransport, p.request(t, path, body), chatStream); got.body != body {
				t.Errorf("upstream got %s, want %s: the filter reads no numbers", got.body, body)
			}
		})
		t.Run("prefix", func(t *testing.T) {
			const body = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
			for _, path := range []string{"/v1beta/models/gemini-2.5-pro:generateContent?key=k", "/v1beta/models/m:countTokens"} {
				got, _ := u.call(t, http.DefaultTransport, p.request(t, "/eu"+path, body), geminiAnswer)
				if want := (sent{name: "eu", path: path, body: body}); got.String() != want.String() {
					t.Errorf("upstream got %v, want %v", got, want)
				}
			}
		})
		t.Run("large body", func(t *testing.T) {
			body := `{"model":"gpt-4o","messages":[{"role":"user","content":"` + strings.Repeat("x", 3<<20) + `"}]}`
			got, _ := u.call(t, http.DefaultTransport, p.request(t, "/large/v1/chat/completions", body), chatStream)
			if got.body != body {
				t.Errorf("upstream got %d bytes, want the %d that were sent", len(got.body), len(body))
			}
		})
		t.Run("not a call", func(t *testing.T) {
			got, _ := u.call(t, http.DefaultTransport, p.request(t, "/v1/moderations", `{"model":"x"}`, "x-farebox-route", "gpu"), "{}")
			if want := (sent{name: "openai", path: "/v1/moderations", body: `{"model":"x"}`}); got.String() != want.String() {
				t.Errorf("upstream got %v, want %v", got, want)
			}
		})
		for _, tt := range []struct {
			name, path, body string
			status           int
			want             string
		}{
			{"malformed", "/v1/chat/completions", `{"model":"gpt-4o","model":"gpt-4o-mini"}`, 400, `"type":"invalid_request_error"`},
			{"no known provider", "/health", `{}`, 503, `"code":"farebox_undecided"`},
			{"unknown model", "/v1/chat/completions", `{"model":"nobody","messages":[]}`, 403, `"code":"model_not_found"`},
		} {
			t.Run(tt.name, func(t *testing.T) {
				got, r := u.call(t, http.DefaultTransport, p.request(t, tt.path, tt.body))
				text, err := io.ReadAll(r.body)
				if err != nil || got.name != "" || r.status != tt.status || !strings.Contains(string(text), tt.want) {
					t.Errorf("upstream got %v, client %d %s, %v; want %d %s", got, r.status, text, err, tt.status, tt.want)
				}
				if r.contentType != "application/json" {
					t.Errorf("content-type %q", r.contentType)
				}
			})
		}
		t.Run("client gone", func(t *testing.T) {
			const path, body = "/gone/v1/chat/completions", `{"stream":true,"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}`
			ctx, cancel := context.WithCancel(t.Context())
			u.begin(t, http.DefaultTransport, p.request(t, path, body).WithContext(ctx), chatStream[:200])
			cancel()
			_, got := p.logged(t, path)
			u.next <- ""
			input := int64(len(body)) / 4
			if want := map[string]int64{"input": input, "output": 1}; !got.Estimated || !cmp.Equal(want, got.Usage) || got.CostUSD == "" {
				t.Errorf("record %+v: want an estimate of %v", got, want)
			}
		})
		t.Run("trailers", func(t *testing.T) {
			const body = `{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}`
			req := p.request(t, "/trailers/v1/chat/completions", body, "x-farebox-feature", "intent")
			req.ContentLength, req.Trailer = -1, http.Header{"X-End": {"1"}}
			req.Header.Set("te", "trailers")
			got, _ := u.call(t, overHTTP2(t), req, chatStream)
			if want := strings.Replace(body, "gpt-4o", "gpt-4o-mini", 1); got.name != "openai" || got.body != want {
				t.Errorf("%s got %s, want %s", got.name, got.body, want)
			}
		})
	})
}

func TestObserveMode(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, binary string) {
		u, urls := providers(t, "openai", "google", "eu", "gpu")
		p := start(t, binary, configuration(t, envoy.Observe, testPolicy(policies.Observe), urls), nil)
		for i, body := range []string{
			`{"model" : "gpt-4o","messages":[ {"role":"user","content":"\u0041"}],"n":1.0e0}`,
			`{"model":"gpt-4o","model":"gpt-4o-mini"}`, "not JSON", "",
		} {
			t.Run(body, func(t *testing.T) {
				path := fmt.Sprintf("/%d/v1/chat/completions", i)
				got, _ := u.call(t, http.DefaultTransport, p.request(t, path, body, "x-farebox-feature", "own", "accept-encoding", "br", "x-farebox-route", "gpu"), chatStream)
				if want := (sent{name: "openai", path: path, body: body}); got.String() != want.String() {
					t.Errorf("upstream got %v, want %v", got, want)
				}
				if got.header.Get("accept-encoding") != "br" || got.length != int64(len(body)) {
					t.Errorf("upstream got length %d and headers %v", got.length, got.header)
				}
			})
		}
		t.Run("prefix", func(t *testing.T) {
			for _, path := range []string{"/v1beta/models/gemini-2.5-pro:generateContent?key=k", "/v1beta/models/m:countTokens"} {
				got, _ := u.call(t, http.DefaultTransport, p.request(t, "/eu"+path, "{}"), geminiAnswer)
				if want := (sent{name: "eu", path: path, body: "{}"}); got.String() != want.String() {
					t.Errorf("upstream got %v, want %v", got, want)
				}
				if v := got.header.Get("x-envoy-original-path"); v != "" {
					t.Errorf("upstream was told the path %s", v)
				}
			}
		})
		checkLog(t, p, "/0/v1/chat/completions", "openai", record{
			Decision: "asked", Would: "pool", Route: "openai", Rule: "own", Tier: "own", Model: "gpt-4o", RequestedModel: "gpt-4o",
			CostUSD: "0.001200000", BaselineUSD: "0.001200000", Usage: map[string]int64{"input": 1000, "output": 100},
		})
	})
}

func checkLog(t *testing.T, p proxy, path, upstream string, want record) {
	t.Helper()
	line, got := p.logged(t, path)
	if line.Upstream != upstream || line.Status != http.StatusOK {
		t.Errorf("access log %+v: want upstream %s and status 200", line, upstream)
	}
	var usage = map[string]int64{}
	for kind, n := range got.Usage {
		if n != 0 {
			usage[kind] = n
		}
	}
	got.Usage = usage
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}
