package filter

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

const dollarPerMillion = pricing.Rate(pricing.Dollar)

// testPolicy moves calls whose feature is "intent" to a small model of the same provider, "own" to a pool,
// "idle" to a pool that is used when cheaper, and "keyed" to a provider whose key is in a file.
func testPolicy(change func(*policies.Policy)) *policies.Policy {
	caller := policies.Credential{Caller: true}
	rule := func(feature, tier string) policies.Rule {
		when := policies.Match{Dimensions: []policies.Condition{{Key: "feature", Values: []string{feature}}}}
		return policies.Rule{Name: policies.RuleName(feature), When: when, Tier: policies.TierName(tier)}
	}
	pool := policies.Pool{Name: "gpu", GPUHour: 2 * pricing.Dollar, GPUs: 1, Throughput: 1000, Use: policies.Always}
	idle := pool
	idle.Name, idle.Use = "idle", policies.WhenCheaper
	p := &policies.Policy{
		Mode: policies.Enforce,
		Providers: []policies.Provider{
			{Name: "openai", Vendor: "openai", Credential: caller},
			{Name: "anthropic", Vendor: "anthropic", Credential: caller},
			{Name: "google", Vendor: "google", Credential: caller},
			{Name: "acme", Vendor: "openai", Hosts: []string{"acme.example"}, Credential: policies.Credential{File: "/run/secrets/acme"}},
		},
		Dimensions: []policies.Dimension{
			{Name: "feature", Sources: []policies.Source{{Kind: policies.FromHeader, Key: "x-farebox-feature"}}},
			{Name: "team", Sources: []policies.Source{{Kind: policies.FromJWT, Key: "team"}, {Kind: policies.FromMTLS, Key: "namespace"}}},
		},
		Tiers: []policies.Tier{
			{Name: "small", Models: []policies.ModelRef{
				{Route: "openai", Model: "gpt-4o-mini"}, {Route: "anthropic", Model: "claude-haiku-4-5"}, {Route: "google", Model: "gemini-2.5-flash"},
			}},
			{Name: "own", Models: []policies.ModelRef{{Route: "gpu", Model: "llama"}}},
			{Name: "idle", Models: []policies.ModelRef{{Route: "idle", Model: "llama"}, {Route: "openai", Model: "gpt-4o-mini"}}},
			{Name: "keyed", Models: []policies.ModelRef{{Route: "acme", Model: "gpt-4o-mini"}}},
		},
		Rules: []policies.Rule{rule("intent", "small"), rule("own", "own"), rule("idle", "idle"), rule("keyed", "keyed")},
		Pools: []policies.Pool{pool, idle},
	}
	p.Unknown.Charge = 30 * dollarPerMillion
	if change != nil {
		change(p)
	}
	return p
}

// testPrices charges the large models ten times what the small ones cost: $1 in, $0.10 cached, $2 out per million.
func testPrices() []pricing.Listing {
	listing := func(provider pricing.ProviderName, model pricing.ModelName, times pricing.Rate) pricing.Listing {
		r := pricing.Rates{Input: dollarPerMillion, CacheRead: dollarPerMillion / 10, Output: 2 * dollarPerMillion}
		r.Input, r.CacheRead, r.Output = r.Input*times, r.CacheRead*times, r.Output*times
		return pricing.Listing{
			Provider: provider, Model: model, Price: pricing.Price{Rates: r}, Limits: pricing.Limits{Context: 100_000, MaxOutput: 8_000},
		}
	}
	return []pricing.Listing{
		listing("openai", "gpt-4o", 10), listing("openai", "gpt-4o-mini", 1),
		listing("anthropic", "claude-sonnet-4-5", 10), listing("anthropic", "claude-haiku-4-5", 1),
		listing("google", "gemini-2.5-pro", 10), listing("google", "gemini-2.5-flash", 1),
	}
}

func newFilter(t *testing.T, change func(*policies.Policy)) *Filter {
	t.Helper()
	f, err := New(policies.AppendJSON(nil, testPolicy(change), testPrices()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func observe(p *policies.Policy) { p.Mode = policies.Observe }

var intent = [2]string{"x-farebox-feature", "intent"}

const (
	chatPath = "/v1/chat/completions"
	chatBody = `{"model": "gpt-4o","messages":[{"role":"user","content":"hi"}], "x":1.0}`
	chatGood = `{"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":200}}}`
	chatStream = `data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"yes"},"finish_reason":null}]}` + "\n\n" +
		`data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"id":"c","model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":200}}}` + "\n\n" +
		"data: [DONE]\n\n"
)

// small is the record of a call that the small tier served with 800 tokens, 200 cached ones and 100 of output.
func small(route, from, to string) record {
	return record{
		Decision: "tier", Route: route, Rule: "intent", Tier: "small", Model: to, RequestedModel: from,
		CostUSD: "0.001020000", BaselineUSD: "0.010200000", Usage: map[string]int64{"input": 800, "cache_read": 200, "output": 100},
	}
}

func TestCallsAreRewrittenAndPriced(t *testing.T) {
	for _, tt := range []struct {
		name            string
		path, body      string
		response        string
		sentTo, sent    string
		route, from, to string
	}{
		{
			name: "OpenAI chat", path: chatPath, body: chatBody, response: chatGood,
			sentTo: chatPath, sent: strings.Replace(chatBody, "gpt-4o", "gpt-4o-mini", 1),
			route: "openai", from: "gpt-4o", to: "gpt-4o-mini",
		},
		{
			name: "OpenAI chat, streamed", path: chatPath + "?x=1", body: `{"stream":true,` + chatBody[1:], response: chatStream,
			sentTo: chatPath + "?x=1", sent: strings.Replace(`{"stream":true,`+chatBody[1:], "gpt-4o", "gpt-4o-mini", 1),
			route: "openai", from: "gpt-4o", to: "gpt-4o-mini",
		},
		{
			name: "OpenAI responses", path: "/v1/responses", body: `{"input":"hi","model":"gpt-4o"}`,
			response: `{"id":"r","object":"response","status":"completed","error":null,"model":"gpt-4o-mini","output":[],` +
				`"usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":200},"output_tokens":100}}`,
			sentTo: "/v1/responses", sent: `{"input":"hi","model":"gpt-4o-mini"}`,
			route: "openai", from: "gpt-4o", to: "gpt-4o-mini",
		},
		{
			name: "Anthropic messages", path: "/v1/messages", body: `{"max_tokens":50,"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"hi"}]}`,
			response: `{"type":"message","model":"claude-haiku-4-5","content":[{"type":"text","text":"yes"}],"stop_reason":"end_turn",` +
				`"usage":{"input_tokens":800,"cache_read_input_tokens":200,"cache_creation_input_tokens":0,"output_tokens":100}}`,
			sentTo: "/v1/messages", sent: `{"max_tokens":50,"model":"claude-haiku-4-5","messages":[{"role":"user","content":"hi"}]}`,
			route: "anthropic", from: "claude-sonnet-4-5", to: "claude-haiku-4-5",
		},
		{
			name: "Gemini, whose model is in the path", path: "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
			body: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
			response: `data: {"candidates":[{"content":{"parts":[{"text":"yes"}]},"finishReason":"STOP"}],"modelVersion":"gemini-2.5-flash",` +
				`"usageMetadata":{"promptTokenCount":1000,"cachedContentTokenCount":200,"candidatesTokenCount":100}}` + "\n\n",
			sentTo: "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", sent: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
			route: "google", from: "gemini-2.5-pro", to: "gemini-2.5-flash",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, trailers := range []bool{false, true} {
				for _, size := range []int{1, 7, len(tt.response)} {
					req := request{path: tt.path, body: tt.body, headers: [][2]string{intent}, trailers: trailers}
					out := exchange(t, newFilter(t, nil), &fakeHost{}, req, response{status: 200, pieces: split(tt.response, size)})
					if diff := cmp.Diff(tt.sent, out.body); diff != "" || out.action != Continue {
						t.Errorf("body (-want +got):\n%s action %v", diff, out.action)
					}
					want := map[string]string{
						":method": "POST", ":path": tt.sentTo, ":authority": "llm.example", "x-farebox-feature": "intent",
						"x-farebox-route": tt.route, "accept-encoding": "identity",
					}
					if tt.sent != tt.body {
						want["content-length"] = itoa(len(tt.sent))
					}
					if diff := cmp.Diff(want, out.headers); diff != "" {
						t.Errorf("headers (-want +got):\n%s", diff)
					}
					if diff := cmp.Diff(small(tt.route, tt.from, tt.to), out.record); diff != "" {
						t.Errorf("record, pieces of %d (-want +got):\n%s", size, diff)
					}
				}
			}
		})
	}
}

func TestObserveModeChangesOnlyTheRoute(t *testing.T) {
	headers := [][2]string{intent, {"x-farebox-route", "gpu"}, {"x-farebox-decision", "forged"}, {"accept-encoding", "gzip"}, {"authorization", "k"}}
	for _, tt := range []struct {
		name, body, status string
		want               record
	}{
		{"a call", chatBody, "200", record{
			Decision: "asked", Would: "tier", Route: "openai", Rule: "intent", Tier: "small", Model: "gpt-4o", RequestedModel: "gpt-4o",
			CostUSD: "0.001020000", BaselineUSD: "0.001020000", Usage: map[string]int64{"input": 800, "cache_read": 200, "output": 100},
		}},
		{"malformed", `{"model":"gpt-4o","model":"gpt-4o-mini"}`, "200", record{
			Decision: "asked", Route: "openai", CostUSD: "0.001020000", BaselineUSD: "0.001020000", Usage: map[string]int64{"input": 800, "cache_read": 200, "output": 100},
		}},
		{"empty", "", "200", record{
			Decision: "asked", Route: "openai", CostUSD: "0.001020000", BaselineUSD: "0.001020000", Usage: map[string]int64{"input": 800, "cache_read": 200, "output": 100},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := request{path: chatPath, body: tt.body, headers: headers}
			out := exchange(t, newFilter(t, observe), &fakeHost{}, req, response{status: 200, pieces: []string{chatGood}})
			want := fields(append([][2]string{{":method", "POST"}, {":path", chatPath}, {":authority", "llm.example"}}, headers...))
			want["x-farebox-route"] = "openai"
			if diff := cmp.Diff(want, out.headers); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if out.body != tt.body || out.answer != nil || out.action != Continue {
				t.Errorf("body %q, answer %v, action %v: want the call as it came", out.body, out.answer, out.action)
			}
			// The price of the baseline is that of the model that answered, as the call went where it was asked to.
			if diff := cmp.Diff(tt.want, out.record); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForgedHeadersAreTakenAway(t *testing.T) {
	req := request{path: chatPath, body: chatBody, headers: [][2]string{
		{"x-farebox-route", "gpu"}, {"x-farebox-route", "anthropic"}, {"x-farebox-cost", "0"}, intent, {"x-other", "stays"},
	}}
	for _, tt := range []struct {
		name  string
		req   request
		route string
	}{
		{"call", req, "openai"},
		{"other path at no known provider", request{method: "GET", path: "/health", headers: req.headers}, ""},
		{"other method", request{method: "GET", path: chatPath, headers: req.headers, empty: true}, "openai"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := exchange(t, newFilter(t, nil), &fakeHost{}, tt.req, response{status: 200})
			if got := out.headers["x-farebox-route"]; got != tt.route {
				t.Errorf("x-farebox-route is %q, want %q", got, tt.route)
			}
			if _, there := out.headers["x-farebox-cost"]; there {
				t.Error("a forged header went upstream")
			}
			if out.headers["x-farebox-feature"] != "intent" || out.headers["x-other"] != "stays" {
				t.Errorf("headers %v: a label or another header is missing", out.headers)
			}
		})
	}
}

func TestCredentialsDoNotTravel(t *testing.T) {
	secret := [][2]string{
		{"authorization", "k"}, {"x-api-key", "k"}, {"api-key", "k"}, {"x-goog-api-key", "k"}, {"cookie", "k"}, {"cookie", "l"},
		{"openai-organization", "o"}, {"anthropic-beta", "b"}, {"proxy-authorization", "k"},
	}
	move := func(feature string) request {
		return request{path: "/acme" + chatPath + "?key=k&a=b", body: chatBody, headers: append([][2]string{{"x-farebox-feature", feature}}, secret...)}
	}
	t.Run("to a pool", func(t *testing.T) {
		out := exchange(t, newFilter(t, nil), &fakeHost{}, move("own"), response{status: 200})
		want := map[string]string{
			":method": "POST", ":path": chatPath + "?a=b", ":authority": "llm.example", "x-farebox-feature": "own", "x-farebox-route": "gpu",
			"accept-encoding": "identity", "content-length": itoa(len(out.body)),
		}
		if diff := cmp.Diff(want, out.headers); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if !strings.Contains(out.body, `"llama"`) || out.record.Decision != "pool" {
			t.Errorf("body %s, record %+v: want the pool's model", out.body, out.record)
		}
	})
	t.Run("to a provider that takes none", func(t *testing.T) {
		f := newFilter(t, func(p *policies.Policy) { p.Providers[0].Credential = policies.Credential{} })
		out := exchange(t, f, &fakeHost{}, move("none"), response{status: 200})
		if out.headers["authorization"] != "" || out.headers["anthropic-beta"] != "b" || out.headers[":path"] != "/acme"+chatPath+"?a=b" {
			t.Errorf("headers %v: want no key, and what the API needs", out.headers)
		}
	})
	for _, tt := range []struct{ feature, model string }{{"idle", "gpt-4o-mini"}, {"keyed", "gpt-4o"}, {"none", "gpt-4o"}} {
		t.Run(tt.feature+" stays", func(t *testing.T) {
			out := exchange(t, newFilter(t, nil), &fakeHost{}, move(tt.feature), response{status: 200})
			for _, h := range secret {
				if out.headers[h[0]] == "" {
					t.Errorf("header %s is gone", h[0])
				}
			}
			if out.headers[":path"] != "/acme"+chatPath+"?key=k&a=b" || out.record.Model != tt.model || out.record.Route != "openai" {
				t.Errorf("path %s, record %+v: want model %s at openai", out.headers[":path"], out.record, tt.model)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	refuseUnknown := func(p *policies.Policy) { p.Unknown = policies.UnknownModel{Refuse: true} }
	for _, tt := range []struct {
		name   string
		change func(*policies.Policy)
		req    request
		status int
		want   string // in the body
	}{
		{"malformed", nil, request{path: chatPath, body: `{"model":`}, 400, `"type":"invalid_request_error"`},
		{"duplicate key", nil, request{path: chatPath, body: `{"model":"a","model":"b"}`}, 400, `"param":"model"`},
		{"empty body with trailers", nil, request{path: chatPath, trailers: true}, 400, `"type":"invalid_request_error"`},
		{"no body", nil, request{path: chatPath, empty: true}, 400, `the request has no body`},
		{"Anthropic's shape", nil, request{path: "/v1/messages", body: `x`}, 400, `{"type":"error"`},
		{"Google's shape", nil, request{path: "/v1beta/models/m:generateContent", body: `x`}, 400, `"status":"INVALID_ARGUMENT"`},
		{"unknown model", refuseUnknown, request{path: chatPath, body: strings.Replace(chatBody, "gpt-4o", "nobody", 1)}, 403, `no price is known for model \"nobody\"`},
		{"other encoding", nil, request{path: chatPath, body: chatBody, headers: [][2]string{{"content-encoding", "br"}}}, 415, `not br`},
		{"not gzip", nil, request{path: chatPath, body: chatBody, headers: [][2]string{{"content-encoding", "gzip"}}}, 400, `gzip`},
		{"damaged gzip", nil, request{path: chatPath, body: zipped(chatBody)[:30], headers: [][2]string{{"content-encoding", "gzip"}}}, 400, `damaged`},
		{"gzip bomb", nil, request{path: chatPath, body: zipped(strings.Repeat(" ", 8<<20)), headers: [][2]string{{"content-encoding", "gzip"}}}, 413, `more than`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := &fakeHost{}
			out := exchange(t, newFilter(t, tt.change), host, tt.req, response{status: tt.status, pieces: []string{chatGood}})
			if out.answer == nil || out.action != Pause || host.touched {
				t.Fatalf("answer %v, action %v, touched %v: want an answer and the request held back", out.answer, out.action, host.touched)
			}
			if out.answer.Status != tt.status || !strings.Contains(out.answer.Body, tt.want) {
				t.Errorf("answer %+v, want status %d and %q", out.answer, tt.status, tt.want)
			}
			if out.answer.Headers["x-should-retry"] != "false" || out.record.Decision != "refuse" || out.record.CostUSD != "0.000000000" {
				t.Errorf("headers %v, record %+v", out.answer.Headers, out.record)
			}
		})
	}
}

func TestGzipRequestsLeaveDecoded(t *testing.T) {
	req := request{path: chatPath, body: zipped(chatBody), headers: [][2]string{{"content-encoding", "gzip"}, intent}}
	t.Run("enforce", func(t *testing.T) {
		out := exchange(t, newFilter(t, nil), &fakeHost{}, req, response{status: 200})
		_, encoded := out.headers["content-encoding"]
		if want := strings.Replace(chatBody, "gpt-4o", "gpt-4o-mini", 1); out.body != want || encoded {
			t.Errorf("body %q, content-encoding %v, want %q plain", out.body, encoded, want)
		}
	})
	t.Run("observe", func(t *testing.T) {
		out := exchange(t, newFilter(t, observe), &fakeHost{}, req, response{status: 200})
		if out.body != req.body || out.headers["content-encoding"] != "gzip" || out.record.Would != "tier" {
			t.Errorf("body %q, headers %v, record %+v: want what came, and a decision", out.body, out.headers, out.record)
		}
	})
}

func TestEncodingsInSeveralHeaders(t *testing.T) {
	encoded := func(values ...string) request {
		req := request{path: chatPath, body: zipped(chatBody), headers: [][2]string{intent}}
		for _, v := range values {
			req.headers = append(req.headers, [2]string{"content-encoding", v})
		}
		return req
	}
	t.Run("one of them", func(t *testing.T) {
		out := exchange(t, newFilter(t, nil), &fakeHost{}, encoded("identity", "GZIP"), response{status: 200})
		if want := strings.Replace(chatBody, "gpt-4o", "gpt-4o-mini", 1); out.body != want {
			t.Errorf("body %q, answer %v, want %q", out.body, out.answer, want)
		}
	})
	t.Run("two of them", func(t *testing.T) {
		out := exchange(t, newFilter(t, nil), &fakeHost{}, encoded("gzip", "br"), response{status: 415})
		if out.answer == nil || out.answer.Status != 415 || !strings.Contains(out.answer.Body, "not gzip, br") {
			t.Errorf("answer %v, want 415 and both names", out.answer)
		}
	})
}

func TestAPrefixDoesNotTravel(t *testing.T) {
	const gemini, hi = "/v1beta/models/gemini-2.5-pro:generateContent?key=k", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	for _, tt := range []struct {
		name   string
		mode   policies.Mode
		req    request
		route  string
		sentTo string
	}{
		{"call that stays", policies.Enforce, request{path: "/eu" + gemini, body: hi}, "eu", gemini},
		{"call for another model", policies.Enforce, request{path: "/eu" + gemini, body: hi, headers: [][2]string{intent}}, "eu", strings.Replace(gemini, "pro", "flash", 1)},
		{"no call", policies.Enforce, request{method: "GET", path: "/eu/v1beta/models?a=/eu/", empty: true}, "eu", "/v1beta/models?a=/eu/"},
		{"the prefix alone", policies.Enforce, request{method: "GET", path: "/eu", empty: true}, "eu", "/"},
		{"another segment", policies.Enforce, request{path: "/eux" + gemini, body: hi}, "google", "/eux" + gemini},
		{"the route table cuts it", policies.Observe, request{path: "/eu" + gemini, body: hi}, "eu", "/eu" + gemini},
		{"the route table cuts it, no call", policies.Observe, request{method: "GET", path: "/eu/v1beta/models", empty: true}, "eu", "/eu/v1beta/models"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFilter(t, func(p *policies.Policy) {
				p.Mode = tt.mode
				p.Providers = append(p.Providers, policies.Provider{Name: "eu", Vendor: "google", Prefix: "/eu", Credential: policies.Credential{Caller: true}})
				p.Tiers[0].Models = append(p.Tiers[0].Models, policies.ModelRef{Route: "eu", Model: "gemini-2.5-flash"})
			})
			out := exchange(t, f, &fakeHost{}, tt.req, response{status: 200})
			if got := out.headers[":path"]; got != tt.sentTo || out.headers["x-farebox-route"] != tt.route {
				t.Errorf("sent to %s of %s, want %s of %s", got, out.headers["x-farebox-route"], tt.sentTo, tt.route)
			}
		})
	}
}

func TestPassiveMeteringPinsNoEncoding(t *testing.T) {
	f := newFilter(t, func(p *policies.Policy) { p.Passive = true })
	out := exchange(t, f, &fakeHost{}, request{path: chatPath, body: chatBody, headers: [][2]string{{"accept-encoding", "gzip"}}}, response{status: 200})
	if out.headers["accept-encoding"] != "gzip" || out.body != chatBody || out.headers["content-length"] != "" {
		t.Errorf("headers %v, body %s: want what came", out.headers, out.body)
	}
}

func TestVerifiedDimensionsMatchRules(t *testing.T) {
	f := newFilter(t, func(p *policies.Policy) {
		p.Rules[0].When.Dimensions[0] = policies.Condition{Key: "team", Values: []string{"shop"}}
	})
	for _, tt := range []struct {
		name string
		host fakeHost
		want string
	}{
		{"claim", fakeHost{claims: map[string]string{"team": "shop"}}, "gpt-4o-mini"},
		{"namespace", fakeHost{peer: "spiffe://cluster.local/ns/shop/sa/x"}, "gpt-4o-mini"},
		{"claim first", fakeHost{claims: map[string]string{"team": "other"}, peer: "spiffe://cluster.local/ns/shop/sa/x"}, "gpt-4o"},
		{"neither", fakeHost{peer: "https://cluster.local/ns/shop/sa/x"}, "gpt-4o"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if out := exchange(t, f, &tt.host, request{path: chatPath, body: chatBody}, response{status: 200}); out.record.Model != tt.want {
				t.Errorf("model %s, want %s", out.record.Model, tt.want)
			}
		})
	}
}

func TestWhatAnswersCost(t *testing.T) {
	estimate := map[string]int64{"input": int64(len(chatBody)) / 4}
	withText := map[string]int64{"input": int64(len(chatBody)) / 4, "output": 1}
	for _, tt := range []struct {
		name      string
		res       response
		cost      string
		usage     map[string]int64
		estimated bool
	}{
		{"whole", response{status: 200, pieces: []string{chatGood}}, "0.001020000", small("", "", "").Usage, false},
		{"cut stream", response{status: 200, pieces: []string{chatStream[:200]}}, "0.000020000", withText, true},
		{"client gone before the answer", response{}, "0.000018000", estimate, true},
		{"the provider's error", response{status: 429, details: "via_upstream", pieces: []string{`{"error":{"message":"slow down"}}`}}, "0.000000000", nil, false},
		{"no upstream took it", response{status: 503, details: "no_healthy_upstream"}, "0.000000000", nil, false},
		{"the proxy gave up waiting", response{status: 504, details: "response_timeout"}, "0.000018000", estimate, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := exchange(t, newFilter(t, nil), &fakeHost{}, request{path: chatPath, body: chatBody, headers: [][2]string{intent}}, tt.res)
			if out.record.CostUSD != tt.cost || out.record.Estimated != tt.estimated {
				t.Errorf("cost %s, estimated %v; want %s, %v", out.record.CostUSD, out.record.Estimated, tt.cost, tt.estimated)
			}
			if diff := cmp.Diff(tt.usage, out.record.Usage, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARecordIsPublishedTwice(t *testing.T) {
	out := exchange(t, newFilter(t, nil), &fakeHost{}, request{path: chatPath, body: chatBody}, response{status: 200, pieces: split(chatGood, 3)})
	first := `{"decision":"asked","route":"openai","model":"gpt-4o","requested_model":"gpt-4o"}`
	if len(out.host.records) != 2 || out.host.records[0] != first {
		t.Errorf("records %q: want %s with the headers, and one at the end", out.host.records, first)
	}
}

func TestRecordsAreJSONWhateverTheModelIsCalled(t *testing.T) {
	name := `aa\"b\\\u0001\u007f` + strings.Repeat("é", 200)
	body := strings.Replace(chatBody, "gpt-4o", name, 1)
	out := exchange(t, newFilter(t, nil), &fakeHost{}, request{path: chatPath, body: body}, response{status: 200, pieces: []string{chatGood}})
	if want := "aa\"b\\\x01\x7f" + strings.Repeat("é", 124) + "\uFFFD"; out.record.RequestedModel != want {
		t.Errorf("requested model %q, want %q", out.record.RequestedModel, want)
	}
}

func TestPanicsDoNotReachTheProxy(t *testing.T) {
	for _, mode := range []policies.Mode{policies.Enforce, policies.Observe} {
		for _, method := range []string{"RequestHeaders", "RequestBody", "SetRequestHeader", "ResponseBody", "Publish"} {
			for _, how := range []string{"panics", "breaks"} {
				t.Run(string(mode)+" "+method+" "+how, func(t *testing.T) {
					host := &fakeHost{panics: method}
					if how == "breaks" {
						host.panics, host.breaks = "", method
					}
					f := newFilter(t, func(p *policies.Policy) { p.Mode = mode })
					out := exchange(t, f, host, request{path: chatPath, body: chatBody, headers: [][2]string{intent}}, response{status: 200, pieces: split(chatGood, 9)})
					if len(host.log) == 0 || host.panicked > 1 {
						t.Errorf("log %q, %d panics: want a line, and nothing done after the first", host.log, host.panicked)
					}
					refused := mode == policies.Enforce && method != "ResponseBody" && method != "Publish"
					if refused != (out.answer != nil && out.answer.Status == 503) {
						t.Errorf("answer %v, want a refusal: %v", out.answer, refused)
					}
					if refused != (out.action == Pause) {
						t.Errorf("action %v: want Pause exactly with a refusal", out.action)
					}
					if mode == policies.Observe && out.body != chatBody {
						t.Errorf("body %s, want what came", out.body)
					}
				})
			}
		}
	}
}

func TestFailedEditsLetNothingOut(t *testing.T) {
	for _, method := range []string{"SetRequestBody", "RemoveRequestHeader"} {
		host := &fakeHost{breaks: method}
		req := request{path: chatPath, body: chatBody, headers: [][2]string{intent, {"x-farebox-cost", "1"}}}
		if out := exchange(t, newFilter(t, nil), host, req, response{status: 503}); out.answer == nil || out.answer.Status != 503 || out.action != Pause {
			t.Errorf("%s: answer %v, action %v, want 503", method, out.answer, out.action)
		}
	}
}

func TestNewSaysWhatTheFilterCannotDo(t *testing.T) {
	f := newFilter(t, func(p *policies.Policy) {
		p.Budgets = []policies.Budget{{Name: "b", Limit: pricing.Dollar, Window: policies.Day}}
		p.Exact = &policies.ExactCache{All: true}
	})
	want := []string{
		"the policy's 1 budgets limit nothing here: the filter keeps no balances",
		"the exact cache is off: the filter keeps no answers",
		`tier "keyed" passes over acme/gpt-4o-mini: the filter reads no credential files`,
	}
	if diff := cmp.Diff(want, f.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, config := range []string{"", "{}", `{"version":1,"mode":"enforce","rules":[{"name":"a","tier":"nowhere"}]}`} {
		if _, err := New([]byte(config)); err == nil {
			t.Errorf("New(%q) succeeded", config)
		}
	}
}

func split(s string, size int) []string {
	var pieces []string
	for len(s) > size {
		pieces, s = append(pieces, s[:size]), s[size:]
	}
	return append(pieces, s)
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s)) // a Buffer takes everything
	_ = z.Close()
	return b.String()
}

func itoa(n int) string { return strconv.Itoa(n) }
