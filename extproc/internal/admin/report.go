package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

const (
	latestCalls = 20
	// mostRows bounds a table: a budget per session may have a hundred thousand balances.
	mostRows = 50
)

// report is what the page and /api/summary show.
type report struct {
	Range  string    `json:"range"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Policy policyRow `json:"policy"`

	Calls          int64       `json:"calls"`
	Cost           Dollars     `json:"cost_usd"`
	Baseline       Dollars     `json:"baseline_usd"`
	Saved          Dollars     `json:"saved_usd"`
	SavedShare     Share       `json:"saved_share"`
	Levers         []leverRow  `json:"levers"`
	Observed       observed    `json:"observed"`
	Estimated      int64       `json:"estimated_calls"`
	EstimatedBound Dollars     `json:"estimated_bound_usd"`
	Overruns       int64       `json:"overruns"`
	Outcomes       []countRow  `json:"outcomes"`
	Tokens         tokens      `json:"tokens"`
	Caches         caches      `json:"caches"`
	Breakdowns     []breakdown `json:"breakdowns"`
	Budgets        []budgetRow `json:"budgets"`
	MoreBudgets    int         `json:"budgets_left_out"`
	Shared         bool        `json:"budgets_shared"`      // by replicas
	Outage         bool        `json:"shared_out_of_reach"` // or nothing is handed out
	OutSince       time.Time   `json:"shared_out_of_reach_since,omitzero"`
	Pools          []poolRow   `json:"pools"`
	Latest         []callRow   `json:"latest"`
}

type policyRow struct {
	File    string        `json:"file"`
	Mode    policies.Mode `json:"mode"`
	Loaded  time.Time     `json:"loaded"`
	Refused string        `json:"refused,omitempty"`
}

// leverRow is what a lever saved, as a share of the baseline.
type leverRow struct {
	Lever string  `json:"lever"`
	Saved Dollars `json:"saved_usd"`
	Share Share   `json:"share"`
}

// observed is what the calls that were only observed cost, and what they would have cost in enforce mode.
type observed struct {
	Calls int64   `json:"calls"`
	Cost  Dollars `json:"cost_usd"`
	Would Dollars `json:"would_cost_usd"`
}

type countRow struct {
	Name  string `json:"name"`
	Calls int64  `json:"calls"`
	Share Share  `json:"share"`
}

// tokens are disjoint kinds, but for reasoning, which is part of the output.
type tokens struct {
	Input           int64 `json:"input"`
	CacheRead       int64 `json:"cache_read"`
	CacheWriteShort int64 `json:"cache_write_short"`
	CacheWriteLong  int64 `json:"cache_write_long"`
	Output          int64 `json:"output"`
	Reasoning       int64 `json:"reasoning"`
}

// caches says how well caching works.
type caches struct {
	ExactHits   int64 `json:"exact_hits"`
	ExactShare  Share `json:"exact_share"`  // of all calls
	PromptShare Share `json:"prompt_share"` // of all input tokens, those that a provider's cache served
	Entries     int   `json:"entries"`
	Bytes       int   `json:"bytes"`
}

// breakdown splits the calls by one property.
type breakdown struct {
	By   string     `json:"by"`
	Rows []shareRow `json:"rows"`
	More int        `json:"left_out"`
}

type shareRow struct {
	Name     string  `json:"name"` // "" is none
	Calls    int64   `json:"calls"`
	Share    Share   `json:"share_of_calls"`
	Cost     Dollars `json:"cost_usd"`
	Baseline Dollars `json:"baseline_usd"`
	Saved    Dollars `json:"saved_usd"`
}

type budgetRow struct {
	Budget    policies.BudgetName `json:"budget"`
	Scope     string              `json:"scope"`
	Limit     Dollars             `json:"limit_usd"`
	Spent     Dollars             `json:"spent_usd"`
	Reserved  Dollars             `json:"reserved_usd"`
	Left      *Dollars            `json:"left_usd,omitempty"` // as in Budget
	Shared    bool                `json:"shared,omitempty"`
	Granted   *Dollars            `json:"granted_usd,omitempty"`
	Leased    *Dollars            `json:"leased_usd,omitempty"`
	Elsewhere *Dollars            `json:"topped_up_elsewhere_usd,omitempty"`
	Spend     Share               `json:"spent_share"`
	Reserve   Share               `json:"reserved_share"`
	Refills   time.Time           `json:"refills"`
}

type poolRow struct {
	Pool    policies.RouteName `json:"pool"`
	Use     policies.PoolUse   `json:"use"`
	API     Dollars            `json:"api_cost_24h_usd"`
	GPU     Dollars            `json:"gpu_cost_24h_usd"`
	Tokens  int64              `json:"tokens_24h"`
	Even    Share              `json:"share_of_break_even"`
	Cheaper bool               `json:"cheaper"`
	Load    upstream.Load      `json:"load"`
}

// Note says what the columns mean, "" if that is plain.
func (r *report) Note() string {
	if r.Shared {
		return SharedNote
	}
	return ""
}

// OutageNote says how shared balances stand while their store is away, "" if it is not.
func (r *report) OutageNote() string { return outageNote(r.Outage, r.OutSince) }

// Entries is how many answers the exact cache holds, for people.
func (r *report) Entries() string { return number(int64(r.Caches.Entries), "entry", "entries") }

// Busy is the measured utilisation for people.
func (p poolRow) Busy() string {
	switch {
	case !p.Load.Known && p.Load.Full:
		return "full"
	case !p.Load.Known:
		return "unknown"
	case p.Load.Full:
		return fmt.Sprintf("%.1f%%, full", 100*p.Load.Utilisation)
	}
	return fmt.Sprintf("%.1f%%", 100*p.Load.Utilisation)
}

type callRow struct {
	ID        string            `json:"id"`
	At        time.Time         `json:"at"`
	Route     string            `json:"route"`
	Asked     pricing.ModelName `json:"asked"`
	Model     pricing.ModelName `json:"model"`
	Tier      policies.TierName `json:"tier"`
	Dims      string            `json:"dimensions"`
	Input     int64             `json:"input"`
	Output    int64             `json:"output"`
	Cost      Dollars           `json:"cost_usd"`
	Saved     Dollars           `json:"saved_usd"`
	Outcome   ledger.Outcome    `json:"outcome"`
	Estimated bool              `json:"estimated"`
	Would     string            `json:"would,omitempty"` // what enforce mode would have done with an observed call
}

// stretch is a time range that can be asked for.
type stretch struct {
	Name, Label string
	length      time.Duration
}

var stretches = []stretch{
	{"hour", "last hour", time.Hour},
	{"day", "last 24 hours", 24 * time.Hour},
	{"month", "last 30 days", 30 * 24 * time.Hour},
}

// stretchOf returns the range of that name, or a day for "".
func stretchOf(name string) (stretch, bool) {
	name = cmp.Or(name, "day")
	i := slices.IndexFunc(stretches, func(s stretch) bool { return s.Name == name })
	if i < 0 {
		return stretch{}, false
	}
	return stretches[i], true
}

// Stretches returns the ranges that can be asked for.
func (r *report) Stretches() []stretch { return stretches }

// build collects a report.
func (h *handler) build(ctx context.Context, over stretch, now time.Time) (*report, error) {
	// Until is exclusive; a call of this very moment is part of the picture.
	r := &report{
		Range: over.Name, Since: now.Add(-over.length), Until: now.Add(1),
		// JSON shows what is empty as [], not as null.
		Levers: []leverRow{}, Outcomes: []countRow{}, Breakdowns: []breakdown{}, Budgets: []budgetRow{},
		Pools: []poolRow{}, Latest: []callRow{},
	}
	s, err := h.Ledger.Summary(ctx, r.Since, r.Until)
	if err != nil {
		return nil, err
	}
	entries, err := h.Ledger.Entries(ctx, ledger.Filter{Since: r.Since, Until: r.Until, Calls: true}, latestCalls)
	if err != nil {
		return nil, err
	}
	p := h.Policy()
	r.Policy = policyRow{File: p.File, Mode: p.Mode, Loaded: p.Loaded, Refused: p.Refused}
	r.addSums(s)
	r.addBreakdowns(s)
	r.addBudgets(h.Ledger.Balances(now))
	stats, shared := h.Ledger.Shared()
	r.Shared, r.Outage = shared, shared && stats.Down
	if r.Outage {
		r.OutSince = stats.Since
	}
	for i := range entries {
		r.Latest = append(r.Latest, rowOf(&entries[i]))
	}
	if h.Cache != nil {
		full := h.Cache.Stats()
		r.Caches.Entries, r.Caches.Bytes = full.Entries, full.Bytes
	}
	if h.Pools != nil {
		r.addPools(now, h.Pools)
	}
	return r, nil
}

func (r *report) addSums(s *ledger.Summary) {
	saved := s.Baseline - s.Cost
	r.Calls, r.Cost, r.Baseline, r.Saved = s.Calls, Dollars(s.Cost), Dollars(s.Baseline), Dollars(saved)
	r.SavedShare = shareOf(int64(saved), int64(s.Baseline))
	r.Estimated, r.EstimatedBound, r.Overruns = s.Estimated, Dollars(s.Bound), s.Overruns
	r.Observed = observed{s.Observed.Calls, Dollars(s.Observed.Cost), Dollars(s.Would)}
	u := s.Usage
	r.Tokens = tokens{u.Input, u.CacheRead, u.CacheWriteShort, u.CacheWriteLong, u.Output, u.Reasoning}
	hits := s.Outcomes[ledger.CacheHit]
	r.Caches = caches{
		ExactHits: hits, ExactShare: shareOf(hits, s.Calls), PromptShare: shareOf(u.CacheRead, u.TotalInput()),
	}
	for i, amount := range s.Savings {
		if amount != 0 {
			share := shareOf(int64(amount), int64(s.Baseline))
			r.Levers = append(r.Levers, leverRow{pricing.Lever(i).String(), Dollars(amount), share})
		}
	}
	for _, outcome := range slices.Sorted(maps.Keys(s.Outcomes)) {
		n := s.Outcomes[outcome]
		r.Outcomes = append(r.Outcomes, countRow{string(outcome), n, shareOf(n, s.Calls)})
	}
}

func (r *report) addBreakdowns(s *ledger.Summary) {
	add := func(by string, shares []ledger.Share) {
		if len(shares) == 0 {
			return
		}
		b := breakdown{By: by, More: max(0, len(shares)-mostRows)}
		for _, x := range shares[:min(len(shares), mostRows)] {
			b.Rows = append(b.Rows, shareRow{
				Name: x.Name, Calls: x.Calls, Share: shareOf(x.Calls, s.Calls),
				Cost: Dollars(x.Cost), Baseline: Dollars(x.Baseline), Saved: Dollars(x.Baseline - x.Cost),
			})
		}
		r.Breakdowns = append(r.Breakdowns, b)
	}
	add("tier", s.Tiers)
	add("model", s.Models)
	add("model asked for", s.Asked)
	add("provider or pool", s.Routes)
	add("rule", s.Rules)
	for _, name := range slices.Sorted(maps.Keys(s.Dims)) {
		add(string(name), withNone(s.Dims[name], s))
	}
}

// withNone adds the calls without a value of a dimension, at the end, to those that have one.
func withNone(shares []ledger.Share, s *ledger.Summary) []ledger.Share {
	none := ledger.Share{Sums: s.Sums}
	for i := range shares {
		none.Calls, none.Cost, none.Baseline = none.Calls-shares[i].Calls, none.Cost-shares[i].Cost, none.Baseline-shares[i].Baseline
	}
	if none.Calls <= 0 {
		return shares
	}
	return append(slices.Clip(shares), none)
}

// addBudgets shows the fullest balances.
func (r *report) addBudgets(all []ledger.Balance) {
	for i := range all {
		b, row := &all[i], budgetOf(&all[i])
		r.Budgets = append(r.Budgets, budgetRow{
			Budget: b.Budget, Scope: ledger.ScopeText(b.Scope), Limit: row.Limit, Spent: row.Spent, Reserved: row.Reserved,
			Left: row.Left, Shared: row.Shared, Granted: row.Granted, Leased: row.Leased, Elsewhere: row.Elsewhere, Refills: b.Refills,
			Spend: shareOf(int64(b.Spent), int64(b.Limit)), Reserve: shareOf(int64(b.Reserved), int64(b.Limit)),
		})
	}
	slices.SortStableFunc(r.Budgets, func(a, b budgetRow) int { return cmp.Compare(b.Spend+b.Reserve, a.Spend+a.Reserve) })
	if len(r.Budgets) > mostRows {
		r.MoreBudgets = len(r.Budgets) - mostRows
		r.Budgets = r.Budgets[:mostRows]
	}
}

func (r *report) addPools(now time.Time, pools Pools) {
	for _, p := range pools.Status(now) {
		r.Pools = append(r.Pools, poolRow{
			Pool: p.Name, Use: p.Use, API: Dollars(p.APICost24h), GPU: Dollars(p.GPUCost24h), Tokens: p.Tokens24h,
			Even: shareOf(int64(p.APICost24h), int64(p.GPUCost24h)), Cheaper: p.Cheaper, Load: p.Load,
		})
	}
}

func rowOf(e *ledger.Entry) callRow {
	return callRow{
		ID: e.ID.String(), At: e.At, Route: string(e.Route), Asked: e.Asked, Model: e.Model, Tier: e.Tier,
		Dims: ledger.ScopeText(e.Dims), Input: e.Usage.TotalInput(), Output: e.Usage.Output, Cost: Dollars(e.Cost),
		Saved: Dollars(e.Baseline - e.Cost), Outcome: e.Outcome, Estimated: e.Estimated,
		Would: e.Would,
	}
}
