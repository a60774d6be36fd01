package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// scrape returns the samples whose name begins with one of the prefixes, as Prometheus would read them.
func scrape(t *testing.T, g prometheus.Gatherer, prefixes ...string) []string {
	t.Helper()
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	var lines []string
	for line := range strings.Lines(rec.Body.String()) {
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) {
				lines = append(lines, strings.TrimSpace(line))
				break
			}
		}
	}
	return lines
}

func downgraded() *Call {
	return &Call{
		Provider: "anthropic", Vendor: provider.Anthropic, API: provider.AnthropicMessages,
		Decision: Downgrade, Tier: "medium",
		Asked:    Model{Name: "claude-opus-5-5", Known: true},
		Served:   Model{Name: "claude-haiku-5-5", Known: true},
		Usage:    pricing.Usage{Input: 100, CacheRead: 2000, CacheWriteShort: 30, Output: 50, Reasoning: 20},
		Cost:     1_500_000_000,
		Baseline: 4_000_000_000,
		Savings:  []Saving{{"tier", 3_000_000_000}, {"prompt_cache", -500_000_000}},
		Took:     3 * time.Second,
	}
}

func TestRecordCountsACallOnce(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := New(reg)
	m.Record(downgraded())
	m.Record(downgraded())

	want := []string{
		`farebox_baseline_dollars_total{model="claude-haiku-5-5",provider="anthropic",tier="medium"} 8`,
		`farebox_cost_dollars_total{model="claude-haiku-5-5",provider="anthropic",tier="medium"} 3`,
		`farebox_estimated_total 0`,
		`farebox_losses_dollars_total{lever="prompt_cache"} 1`,
		`farebox_overruns_total 0`,
		`farebox_reasoning_tokens_total{model="claude-haiku-5-5",provider="anthropic"} 40`,
		`farebox_requests_total{api="anthropic_messages",decision="downgrade",provider="anthropic",tier="medium"} 2`,
		`farebox_savings_dollars_total{lever="tier"} 6`,
		`farebox_tokens_total{kind="cache_read",model="claude-haiku-5-5",provider="anthropic"} 4000`,
		`farebox_tokens_total{kind="cache_write_short",model="claude-haiku-5-5",provider="anthropic"} 60`,
		`farebox_tokens_total{kind="input",model="claude-haiku-5-5",provider="anthropic"} 200`,
		`farebox_tokens_total{kind="output",model="claude-haiku-5-5",provider="anthropic"} 100`,
	}
	got := scrape(t, reg, "farebox_baseline", "farebox_cost", "farebox_estimated", "farebox_losses", "farebox_overruns",
		"farebox_reasoning", "farebox_requests", "farebox_savings", "farebox_tokens")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

// TestACorrectionCountsNoCallAgain: nor what a call cost less than was taken, as counters do not go down.
func TestACorrectionCountsNoCallAgain(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := New(reg)
	lost := downgraded()
	lost.Lost, lost.Usage, lost.Savings, lost.Baseline = true, pricing.Usage{}, nil, lost.Cost
	m.Record(lost)
	less, more := downgraded(), downgraded()
	less.Cost, less.Usage = -500_000_000, pricing.Usage{Output: 50}
	more.Cost, more.Usage, more.Overrun = 1_000_000_000, pricing.Usage{Output: 7}, true
	m.Correct(less)
	m.Correct(more)
	want := []string{
		`farebox_baseline_dollars_total{model="claude-haiku-5-5",provider="anthropic",tier="medium"} 5.5`,
		`farebox_cost_dollars_total{model="claude-haiku-5-5",provider="anthropic",tier="medium"} 2.5`,
		`farebox_losses_dollars_total{lever="prompt_cache"} 0.5`,
		`farebox_overruns_total 1`,
		`farebox_requests_total{api="anthropic_messages",decision="downgrade",provider="anthropic",tier="medium"} 1`,
		`farebox_savings_dollars_total{lever="tier"} 3`,
		`farebox_tokens_total{kind="output",model="claude-haiku-5-5",provider="anthropic"} 57`,
	}
	got := scrape(t, reg, "farebox_baseline", "farebox_cost", "farebox_losses", "farebox_overruns", "farebox_requests",
		"farebox_savings", "farebox_tokens", "gen_ai") // no operation: nobody saw the end
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestAModelThatNobodyKnowsIsOther(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := New(reg)
	c := downgraded()
	c.Asked, c.Served = Model{Name: "secret-project"}, Model{Name: "secret-project"}
	m.Record(c)
	for _, line := range scrape(t, reg, "farebox_", "gen_ai_") {
		if strings.Contains(line, "secret") {
			t.Errorf("a client's text became a label: %s", line)
		}
	}
	if got := scrape(t, reg, `farebox_cost_dollars_total{model="other"`); len(got) != 1 {
		t.Errorf("samples of model other = %q, want one", got)
	}
}

func TestEventsAreCountedUnderTheirNames(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := New(reg)
	c := downgraded()
	c.Estimated, c.Overrun = true, true
	m.Record(c)
	m.Refused("budget")
	m.Uncovered("unknown_path")
	m.UnknownModel()
	m.Lookup(Hit)
	m.Store(TooLarge)
	m.Decided(time.Millisecond)
	m.StreamOpened()
	m.StreamOpened()
	m.StreamClosed()
	m.Reloaded(true, time.Unix(1_800_000_000, 500_000_000))
	m.Reloaded(false, time.Unix(1_900_000_000, 0))

	want := []string{
		`farebox_cache_lookups_total{result="hit"} 1`,
		`farebox_cache_stores_total{result="too_large"} 1`,
		`farebox_config_last_reload_success_timestamp_seconds 1.8000000005e+09`,
		`farebox_config_last_reload_successful 0`,
		`farebox_decision_duration_seconds_sum 0.001`,
		`farebox_estimated_total 1`,
		`farebox_overruns_total 1`,
		`farebox_refusals_total{reason="budget"} 1`,
		`farebox_streams_open 1`,
		`farebox_streams_stopped_total 0`,
		`farebox_uncovered_total{reason="unknown_path"} 1`,
		`farebox_unknown_model_total 1`,
	}
	got := scrape(t, reg, "farebox_cache", "farebox_config", "farebox_decision_duration_seconds_sum", "farebox_duplicate",
		"farebox_estimated", "farebox_overruns", "farebox_refusals", "farebox_sink", "farebox_streams",
		"farebox_uncovered", "farebox_unknown")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestHelpIsASentence(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := New(reg)
	m.Record(downgraded())
	reg.MustRegister(NewBudgets(func() []BudgetState { return []BudgetState{{Budget: "b"}} }))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if !strings.HasSuffix(f.GetHelp(), ".") {
			t.Errorf("%s: help %q does not end with a full stop", f.GetName(), f.GetHelp())
		}
	}
}

func TestBudgetsAreReadAtEveryScrape(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(NewBudgets(func() []BudgetState {
		return []BudgetState{
			{Budget: "team", Limit: 500 * pricing.Dollar, Spent: 5 * pricing.Dollar, Reserved: 6 * pricing.Dollar},
			{Budget: "company", Limit: pricing.Dollar, Spent: pricing.Dollar / 2},
		}
	}))
	want := []string{
		`farebox_budget_limit_dollars{budget="company"} 1`,
		`farebox_budget_limit_dollars{budget="team"} 500`,
		`farebox_budget_reserved_dollars{budget="company"} 0`,
		`farebox_budget_reserved_dollars{budget="team"} 6`,
		`farebox_budget_spent_dollars{budget="company"} 0.5`,
		`farebox_budget_spent_dollars{budget="team"} 5`,
	}
	if diff := cmp.Diff(want, scrape(t, reg, "farebox_budget")); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestStepsAreCountedByBudget(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	s := NewSteps(reg)
	for range 2 {
		s.Passed("team", policies.Step{Percent: 80, Do: policies.StepAlert})
	}
	want := []string{`farebox_budget_steps_total{budget="team",percent="80",step="alert"} 2`}
	if diff := cmp.Diff(want, scrape(t, reg, "farebox_budget")); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestTheLedgersStateIsReadAtEveryScrape(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	open := 0
	reg.MustRegister(NewLedger(func() LedgerState {
		open++
		return LedgerState{
			Open: open, Parked: 1, Duplicates: 1, Lost: 2, Expired: 4, Adjusted: 3,
			Bounds: Ratios{Buckets: map[float64]uint64{0.5: 2, 1: 3}, Count: 4, Sum: 3.5},
		}
	}))
	scrape(t, reg, "farebox_")
	want := []string{
		"farebox_adjustments_total 3", `farebox_bound_ratio_bucket{le="0.5"} 2`, `farebox_bound_ratio_bucket{le="1"} 3`,
		`farebox_bound_ratio_bucket{le="+Inf"} 4`, "farebox_bound_ratio_sum 3.5", "farebox_bound_ratio_count 4",
		"farebox_duplicate_settlements_total 1", `farebox_estimate_ratio_bucket{le="+Inf"} 0`, "farebox_estimate_ratio_sum 0", "farebox_estimate_ratio_count 0",
		"farebox_expired_total 4", "farebox_lost_total 2", "farebox_reservations_open 2", "farebox_reservations_parked 1",
	}
	if diff := cmp.Diff(want, scrape(t, reg, "farebox_")); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestGenAIFollowsTheConventions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Call)
		want   []string
	}{
		{"a good answer", func(*Call) {}, []string{
			`gen_ai_client_operation_duration_seconds_sum{error_type="",gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-opus-5-5",gen_ai_response_model="claude-haiku-5-5"} 3`,
			`gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-opus-5-5",gen_ai_response_model="claude-haiku-5-5",gen_ai_token_type="input"} 2130`,
			`gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-opus-5-5",gen_ai_response_model="claude-haiku-5-5",gen_ai_token_type="output"} 50`,
		}},
		{"an error of Gemini", func(c *Call) {
			c.API, c.Vendor, c.Error, c.Usage = provider.GeminiGenerate, provider.Google, "429", pricing.Usage{}
		}, []string{
			`gen_ai_client_operation_duration_seconds_sum{error_type="429",gen_ai_operation_name="generate_content",gen_ai_provider_name="gcp.gemini",gen_ai_request_model="claude-opus-5-5",gen_ai_response_model="claude-haiku-5-5"} 3`,
		}},
		{"a replay is no operation", func(c *Call) { c.Decision = Replay }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reg := prometheus.NewPedanticRegistry()
			c := downgraded()
			tt.change(c)
			New(reg).Record(c)
			got := scrape(t, reg, "gen_ai_client_operation_duration_seconds_sum", "gen_ai_client_token_usage_sum")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
		})
	}
}
