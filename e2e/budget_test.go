package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// limited is a policy with one hard budget; LIMIT stands for its amount.
const limited = `
version: 1
mode: enforce
dimensions:
  team: {from: [header:x-team], trusted: true}
budgets:
  - name: company
    limit: $LIMIT per day
`

func limitedTo(limit nanos) string { return strings.Replace(limited, "LIMIT", limit.String(), 1) }

var atMost = regexp.MustCompile(`option\s+\S+\s+\S+, at most ([0-9.]+) USD`)

// bound is the most that a call can cost, as farebox explain says.
func bound(t *testing.T, c call) nanos {
	t.Helper()
	s := &stack{dir: tempDir(t)}
	s.policy = s.dir + "/policy.yaml"
	s.setPolicy(t, "version: 1\nmode: enforce\n")
	text := command(t, c.body, "explain", "--policy", s.policy, "--path", c.path, "--header", "content-type:"+c.header.Get("content-type"))
	m := atMost.FindSubmatch(text)
	if m == nil {
		t.Fatalf("explain names no bound:\n%s", text)
	}
	var n nanos
	if err := n.UnmarshalJSON([]byte(`"` + string(m[1]) + `"`)); err != nil {
		t.Fatal(err)
	}
	return n
}

// refusals are calls of every API, and what a refusal of each looks like: %s is the message.
var refusals = []struct {
	name string
	call call
	want string
}{
	{"chat", chat(ask("gpt-4o", "Hi")), `{"error":{"message":%s,"type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
	{"chat that streams", chat(askStream("gpt-4o", "Hi")), `{"error":{"message":%s,"type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
	{"responses", responses(`{"model":"gpt-5","input":"Hi","max_output_tokens":99}`), `{"error":{"message":%s,"type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
	{"messages", messages(`{"model":"claude-sonnet-5","max_tokens":99,"messages":[{"role":"user","content":"Hi"}]}`), `{"type":"error","error":{"type":"rate_limit_error","message":%s},"request_id":null}`},
	{
		"Gemini", gemini("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":99}}`),
		`{"error":{"code":429,"message":%s,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"BUDGET_EXHAUSTED","domain":"farebox"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"60s"}]}}`,
	},
}

func TestASpentBudgetRefusesInTheWordsOfTheAPI(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: limitedTo(1)})
		for _, tt := range refusals {
			t.Run(tt.name, func(t *testing.T) {
				a := s.send(t, tt.call)
				wantRefused(t, a)
				message := messageOf(t, a)
				if !strings.Contains(message, `"company"`) || !strings.Contains(message, "refills") {
					t.Errorf("message %q: want the budget and when it refills", message)
				}
				quoted, err := json.Marshal(message)
				if err != nil {
					t.Fatal(err)
				}
				if want := fmt.Sprintf(tt.want, quoted); unnamed(a.body) != want {
					t.Errorf("body %s\nwant %s", a.body, want)
				}
			})
		}
		if got := len(s.provider.requests(t)); got != 0 {
			t.Errorf("the provider received %d requests, want none", got)
		}
		if sum := s.summary(t); sum.Calls != 0 || sum.budget(t).Spent != 0 || sum.budget(t).Reserved != 0 {
			t.Errorf("refusals left something behind: %d calls, %+v", sum.Calls, sum.Budgets)
		}
		s.quiet(t)
	})
}

// wantRefused checks what every refusal at a budget says in its headers.
func wantRefused(t *testing.T, a answer) {
	t.Helper()
	if a.status != http.StatusTooManyRequests {
		t.Fatalf("status %d, want 429: %s", a.status, a.body)
	}
	if got := a.header.Get("x-should-retry"); got != "false" {
		t.Errorf("x-should-retry %q, want false", got)
	}
	if n, err := strconv.Atoi(a.header.Get("retry-after")); err != nil || n < 1 || n > 60 {
		t.Errorf("retry-after %q, want 1 to 60", a.header.Get("retry-after"))
	}
	if at, err := time.Parse(time.RFC3339, a.header.Get("x-farebox-refills")); err != nil || at.Before(time.Now()) || at.Hour() != 0 {
		t.Errorf("x-farebox-refills %q, want the next midnight", a.header.Get("x-farebox-refills"))
	}
	if got := a.header.Get("x-farebox-decision"); got != "refuse" {
		t.Errorf("x-farebox-decision %q, want refuse", got)
	}
	if kind, _, _ := strings.Cut(a.header.Get("content-type"), ";"); kind != "application/json" {
		t.Errorf("content-type %q, want JSON", a.header.Get("content-type"))
	}
}

// messageOf is the text of an error, which all APIs keep in the same place.
func messageOf(t *testing.T, a answer) string {
	t.Helper()
	var body struct{ Error struct{ Message string } }
	decode(t, string(a.body), &body)
	if body.Error.Message == "" {
		t.Errorf("an error without a message: %s", a.body)
	}
	return body.Error.Message
}

func TestABudgetForTenAdmitsTenOfManyAtOnce(t *testing.T) {
	const callers, admitted = 200, 10
	c := chat(ask("gpt-4o", "Hi"))
	s := newStack(t, setup{policy: limitedTo(bound(t, c) * admitted), edit: patient})
	if got, want := s.siege(t, callers, admitted, c), (crowd{admitted, callers - admitted}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	sum, total := s.settled(t, admitted), s.provider.total(t)
	if b := sum.budget(t); b.Spent != total.CostNanos || b.Reserved != 0 || total.Calls != admitted {
		t.Errorf("budget %+v, invoice %s USD for %d calls", b, total.CostNanos, total.Calls)
	}
	s.quiet(t)
}

// endless are streams whose clients go away before the provider has said what they used.
var endless = []traffic{
	{"chat", chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"[[tokens=300]]"}],"stream":true,"max_tokens":300}`)},
	{"chat that would have reported its usage", chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"[[tokens=300]]"}],"stream":true,"max_tokens":300,"stream_options":{"include_usage":true}}`)},
	{"responses", responses(`{"model":"gpt-5","input":"[[tokens=300]]","stream":true,"max_output_tokens":300}`)},
	{"messages", messages(`{"model":"claude-sonnet-5","messages":[{"role":"user","content":"[[tokens=300]]"}],"stream":true,"max_tokens":300}`)},
	{"Gemini", geminiStream("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"[[tokens=300]]"}]}],"generationConfig":{"maxOutputTokens":300}}`)},
}

func TestAHundredAbortedCallsOnABudgetForTenAdmitTen(t *testing.T) {
	const callers, admitted = 100, 10
	for _, tt := range endless {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t, setup{policy: limitedTo(bound(t, tt.call) * admitted), provider: []string{"-delay", "20ms"}})
			came := s.crowd(t, callers, 20, func() (int, error) { return s.abort(tt.call, 600) })
			if came != (crowd{admitted, callers - admitted}) {
				t.Errorf("%d calls were admitted and %d refused, want %d and %d", came.answered, came.refused, admitted, callers-admitted)
			}
			sum := s.settled(t, admitted)
			eventually(t, "the provider has noticed", func() bool { return s.provider.total(t).Calls == admitted })
			total := s.provider.total(t)
			if sum.Estimated != admitted || sum.Bound < total.CostNanos || sum.budget(t).Spent < total.CostNanos {
				t.Errorf("%d estimates, bound %s USD, spent %s USD; invoice %s USD", sum.Estimated, sum.Bound, sum.budget(t).Spent, total.CostNanos)
			}
			if sum.budget(t).Reserved != 0 {
				t.Errorf("%s USD are still reserved", sum.budget(t).Reserved)
			}
		})
	}
}

func TestEachTeamHasItsOwnBudget(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi"))
	s := newStack(t, setup{policy: limitedTo(bound(t, c)) + "    per: team\n"})
	for _, team := range []string{"search", "shop", ""} {
		// Without a team, calls share the budget of those without one.
		s.ok(t, c.with("x-team", team))
		wantRefused(t, s.send(t, c.with("x-team", team)))
	}
	wantRefused(t, s.send(t, c))
}

func TestAHardBudgetLetsNothingOutThatHasNoPrice(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(1_000_000_000)})
	for _, tt := range []traffic{
		{"speech", post("/v1/audio/speech", `{"model":"no-such-voice","input":"Hi"}`, "authorization", "Bearer k")},
		{"a recording of any length", form(t, "/v1/audio/transcriptions", "file", strings.Repeat("x", 2500), "model", "whisper-1")},
		{"parts that are no form", post("/v1/audio/transcriptions", "--b--", "authorization", "Bearer k").with("content-type", "multipart/mixed; boundary=b")},
		{"batches", post("/v1/messages/batches", `{"requests":[]}`, "x-api-key", "k", "anthropic-version", "2023-06-01")},
		{"a path that only looks different", post("/v1/chat/completions;v=1", ask("gpt-4o", "Hi"), "authorization", "Bearer k")},
		{"a method that is no call", func() call { c := chat(ask("gpt-4o", "Hi")); c.method = "PUT"; return c }()},
		{"server-held state", responses(`{"model":"no-such-model","input":"Hi","previous_response_id":"resp_1"}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := s.send(t, tt.call)
			if a.status != http.StatusForbidden {
				t.Fatalf("status %d, want 403: %s", a.status, a.body)
			}
			messageOf(t, a)
			if got := a.header.Get("x-should-retry"); got != "false" {
				t.Errorf("x-should-retry %q, want false", got)
			}
		})
	}
	if got := len(s.provider.requests(t)); got != 0 {
		t.Errorf("the provider received %d requests, want none", got)
	}
	for _, tt := range []traffic{
		{"a probe", call{method: "HEAD", path: "/v1/models"}.with("authorization", "Bearer k")},
		{"a list of models", call{method: "GET", path: "/v1/models"}.with("authorization", "Bearer k")},
		{"a list of models of Google", call{method: "GET", path: "/v1beta/models"}.with("x-goog-api-key", "k")},
		{"a token count", post("/v1/messages/count_tokens", `{"model":"claude-sonnet-5","messages":[{"role":"user","content":"Hi"}]}`, "x-api-key", "k", "anthropic-version", "2023-06-01")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.call.method == "HEAD" {
				s.send(t, tt.call) // the provider has nothing there; that it was asked is enough
			} else {
				s.ok(t, tt.call)
			}
			if got := s.provider.last(t).Method; got != tt.call.method {
				t.Errorf("the provider received %s, want %s", got, tt.call.method)
			}
		})
	}
}

// TestAnotherSpellingOfThePathIsNoWayAroundTheBudget: whatever of these the provider takes for a call is one here.
func TestAnotherSpellingOfThePathIsNoWayAroundTheBudget(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(1)})
	for _, path := range []string{
		"/v1/chat/completions/", "//v1//chat/completions", "/v1/./chat/completions", "/v1/x/../chat/completions", "/v1/chat/completions?a=b",
		"/v1/chat/%63ompletions", "/v1/chat%2Fcompletions", "/v1/chat/completions;a=b", "/v1/chat/completions%20", "/v1/chat/completions%00",
		"/v1/models/x/../../chat/completions", "/v1/models/../chat/completions?x=/models", "/openai/v1/chat/completions",
	} {
		t.Run(path, func(t *testing.T) {
			c := post("", ask("gpt-4o", "Hi"), "authorization", "Bearer k")
			c.path = path
			a := s.send(t, c)
			if a.status < 400 || a.status == http.StatusServiceUnavailable {
				t.Errorf("status %d, want a refusal: %s", a.status, a.body)
			}
			messageOf(t, a)
		})
	}
	if got := s.provider.requests(t); len(got) != 0 {
		t.Errorf("the provider received %d requests, the first for %s; want none", len(got), got[0].Path)
	}
}

func TestAnUnknownModelIsRefused(t *testing.T) {
	s := newStack(t, setup{policy: "version: 1\nmode: enforce\nunknown_model: refuse\n"})
	a := s.send(t, chat(ask("gpt-99", "Hi")))
	if a.status != http.StatusForbidden || !strings.Contains(messageOf(t, a), "gpt-99") {
		t.Errorf("status %d: %s; want 403 and the model's name", a.status, a.body)
	}
	if code := field(t, a, "error"); !strings.Contains(code, `"code":"model_not_found"`) {
		t.Errorf("error %s, want code model_not_found", code)
	}
	if n := len(s.provider.requests(t)); n != 0 {
		t.Errorf("the provider received %d requests, want none", n)
	}
}

func TestAnUnknownModelIsChargedAtTheStatedRate(t *testing.T) {
	s := newStack(t, setup{routes: []string{"gateway"}, policy: `
version: 1
mode: enforce
providers:
  gateway: {hosts: [llm.test], credential: caller}
unknown_model: {charge: $30 per 1M}
`})
	c := chat(ask("gpt-4o", "Hi"))
	c.host = "llm.test"
	a := s.ok(t, c)
	var body struct {
		Usage struct {
			Total nanos `json:"total_tokens"`
		}
	}
	decode(t, string(a.body), &body)
	if sum := s.settled(t, 1); sum.Cost != body.Usage.Total*30_000 || sum.Cost == 0 {
		t.Errorf("cost %s USD for %d tokens, want 30 USD per million", sum.Cost, body.Usage.Total)
	}
	if got := s.metric(t, "farebox_unknown_model_total"); got != 1 {
		t.Errorf("farebox_unknown_model_total %g, want 1", got)
	}
}

func TestABudgetIsRememberedOverARestart(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi"))
	for name, end := range map[string]func(*stack){
		"stopped": func(s *stack) { _ = s.farebox.stop(t) },
		"killed":  func(s *stack) { s.farebox.kill(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, setup{policy: limitedTo(bound(t, c))})
			s.ok(t, c)
			end(s)
			s.restart(t)
			wantRefused(t, s.send(t, c))
			sum, total := s.settled(t, 1), s.provider.total(t)
			if got := sum.budget(t).Spent; got != total.CostNanos || sum.Cost != total.CostNanos {
				t.Errorf("spent %s USD, ledger %s USD, invoice %s USD", got, sum.Cost, total.CostNanos)
			}
		})
	}
}

// thrifty has a cache and a pool beside a budget; STEP is what happens when the money is gone.
const thrifty = `
version: 1
mode: enforce
dimensions:
  team: {from: [header:x-team], trusted: true}
  feature: [header:x-farebox-feature]
tiers:
  easy: [openai/gpt-4o, gpu/pool-model]
rules:
  - {when: {feature: easy}, tier: easy}
caches:
  exact: {ttl: 1h, per: team}
pools:
  gpu:
    endpoints: [http://127.0.0.1:1]
    cost: $2 per gpu-hour
    throughput: 2500 tokens per second
budgets:
  - name: company
    limit: $LIMIT per day
    steps: {100%: STEP}
`

func TestWhatIsFreeStaysUsableIfThePolicySaysSo(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi")).with("x-team", "search")
	for step, free := range map[string]bool{"free only": true, "refuse": false} {
		t.Run(step, func(t *testing.T) {
			limit := bound(t, c) + 1_000
			policy := strings.NewReplacer("LIMIT", limit.String(), "STEP", step).Replace(thrifty)
			s := newStack(t, setup{policy: policy, pool: true})
			s.ok(t, c)
			other := chat(ask("gpt-4o", "Something else")).with("x-team", "search")
			wantRefused(t, s.send(t, other))
			pooled := s.send(t, other.with("x-farebox-feature", "easy"))
			if free {
				wantDecision(t, pooled, "pool", "pool-model")
				wantHit(t, s.send(t, c), true)
			} else {
				wantRefused(t, pooled)
			}
		})
	}
}

func TestCacheHitsOfASpentBudgetNeedThePolicysWord(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi")).with("x-team", "search")
	policy := func(limit nanos, step string) string {
		return strings.NewReplacer("LIMIT", limit.String(), "STEP", step).Replace(thrifty)
	}
	s := newStack(t, setup{policy: policy(bound(t, c), "refuse"), pool: true})
	s.ok(t, c)
	spent := s.provider.total(t).CostNanos
	s.reload(t, policy(spent, "refuse"))
	wantRefused(t, s.send(t, c))
	s.reload(t, policy(spent, "free only"))
	wantHit(t, s.send(t, c), true)
	if n := s.provider.total(t).Calls; n != 1 {
		t.Errorf("the provider served %d calls, want 1", n)
	}
}
