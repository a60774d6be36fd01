package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// summary is the part of farebox's /api/summary that the report shows.
type summary struct {
	Calls     int    `json:"calls"`
	Cost      nanos  `json:"cost_usd"`
	Baseline  nanos  `json:"baseline_usd"`
	Levers    []row  `json:"levers"`
	Estimated int    `json:"estimated_calls"`
	Tokens    tokens `json:"tokens"`
	Caches    struct {
		Hits int `json:"exact_hits"`
	} `json:"caches"`
	Breakdowns []struct {
		By   string `json:"by"`
		Rows []row  `json:"rows"`
	} `json:"breakdowns"`
	Budgets []struct {
		Budget string `json:"budget"`
		Scope  string `json:"scope"`
		Limit  nanos  `json:"limit_usd"`
		Spent  nanos  `json:"spent_usd"`
	} `json:"budgets"`
	Pools []struct {
		Pool string `json:"pool"`
		API  nanos  `json:"api_cost_24h_usd"`
		GPU  nanos  `json:"gpu_cost_24h_usd"`
	} `json:"pools"`
}

// row is a part of the calls, or what a lever saved.
type row struct {
	Lever    string `json:"lever"`
	Name     string `json:"name"`
	Calls    int    `json:"calls"`
	Cost     nanos  `json:"cost_usd"`
	Baseline nanos  `json:"baseline_usd"`
	Saved    nanos  `json:"saved_usd"`
}

type tokens struct {
	Input           int `json:"input"`
	CacheRead       int `json:"cache_read"`
	CacheWriteShort int `json:"cache_write_short"`
	CacheWriteLong  int `json:"cache_write_long"`
}

// total is what a provider's /_/total says.
type total struct {
	Calls int   `json:"calls"`
	Nanos int64 `json:"cost_nanos"`
	Leaks int   `json:"leaks"` // calls that carried a credential of somebody else
}

func (t *total) cost() nanos { return nanos(t.Nanos) }

// books is what both sides wrote down.
type books struct {
	ledger  summary
	invoice total // of the vendors
	pool    total
}

// rows returns a breakdown, nil if there is none.
func (s *summary) rows(by string) []row {
	for _, b := range s.Breakdowns {
		if b.By == by {
			return b.Rows
		}
	}
	return nil
}

// vendorCost is the part of the cost that vendors bill: own pools cost GPU time instead.
func (s *summary) vendorCost() nanos {
	cost := s.Cost
	for _, r := range s.rows("provider or pool") {
		if s.isPool(r.Name) {
			cost -= r.Cost
		}
	}
	return cost
}

func (s *summary) isPool(name string) bool {
	for _, p := range s.Pools {
		if p.Pool == name {
			return true
		}
	}
	return false
}

// mismatch says where the books contradict each other or what the clients saw, nil if nowhere.
func (b *books) mismatch(t *tally) error {
	switch {
	case b.ledger.vendorCost() != b.invoice.cost():
		return fmt.Errorf("ledger and invoice differ by USD %s", b.ledger.vendorCost()-b.invoice.cost())
	case b.invoice.Calls != t.billed():
		return fmt.Errorf("the invoice has %d calls, the clients were answered %d by vendors", b.invoice.Calls, t.billed())
	case b.pool.Calls != t.decisions["pool"]:
		return fmt.Errorf("the pool served %d calls, the clients were answered %d by it", b.pool.Calls, t.decisions["pool"])
	case b.pool.Leaks != 0:
		return fmt.Errorf("%d calls brought a caller's credential to the pool", b.pool.Leaks)
	case b.ledger.Calls != b.invoice.Calls+b.pool.Calls+t.decisions["replay"]:
		return fmt.Errorf("the ledger has %d calls, the clients had %d answers", b.ledger.Calls,
			b.invoice.Calls+b.pool.Calls+t.decisions["replay"])
	}
	return nil
}

// settleTime is how long the books may take to agree: the page's figures are up to a second old.
const settleTime = 4 * time.Second

// readBooks asks both sides, again for a while if they differ. Differences are for the report, not an error.
func readBooks(ctx context.Context, s *stack, t *tally) (*books, error) {
	for began := time.Now(); ; {
		b := &books{}
		if err := s.getJSON(ctx, s.vendor+"/_/total", &b.invoice); err != nil {
			return nil, err
		}
		if err := s.getJSON(ctx, s.pool+"/_/total", &b.pool); err != nil {
			return nil, err
		}
		if err := s.getJSON(ctx, s.admin+"/api/summary", &b.ledger); err != nil {
			return nil, err
		}
		if b.mismatch(t) == nil || time.Since(began) > settleTime {
			return b, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(settleTime / 8):
		}
	}
}

func (s *stack) getJSON(ctx context.Context, url string, out any) error {
	body, err := s.get(ctx, url)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read %s: %w", url, err)
	}
	return nil
}

// print writes the report.
func (b *books) print(w io.Writer, t *tally) {
	s := &b.ledger
	fmt.Fprintf(w, "\nmoney before   USD %s   every call as it was asked for\n", s.Baseline)
	fmt.Fprintf(w, "money after    USD %s   %s less\n", s.Cost, percent(s.Baseline-s.Cost, s.Baseline))
	b.printLevers(w)
	all := row{Calls: s.Calls, Cost: s.Cost, Baseline: s.Baseline}
	fmt.Fprintf(w, "\nlabels, as the application set them, of %s that were answered\n", calls(s.Calls))
	printRows(w, s.rows("feature"), all, "before, USD", func(r row) nanos { return r.Baseline })
	fmt.Fprintf(w, "\ntiers, of the same calls\n")
	printRows(w, s.rows("tier"), all, "after, USD", func(r row) nanos { return r.Cost })
	fmt.Fprintln(w)
	b.printCaches(w, t)
	b.printPools(w, t)
	b.printRefused(w, t)
	fmt.Fprintf(w, "estimated      %s\n", calls(s.Estimated))
}

// barWidth is of the largest bar, in characters.
const barWidth = 36

func (b *books) printLevers(w io.Writer) {
	fmt.Fprintf(w, "\nsaved by lever\n")
	most := nanos(1)
	for _, l := range b.ledger.Levers {
		most = max(most, l.Saved)
	}
	for _, l := range b.ledger.Levers {
		fmt.Fprintf(w, "  %-14s %-*s %9s  %5s\n", words(l.Lever), barWidth, bar(l.Saved, most), l.Saved.short(),
			percent(l.Saved, b.ledger.Baseline))
	}
	saved := b.ledger.Baseline - b.ledger.Cost
	fmt.Fprintf(w, "  %-14s %-*s %9s  %5s\n", "together", barWidth, "", saved.short(), percent(saved, b.ledger.Baseline))
}

// bar draws a share of the largest amount in eighths of a character. A loss has none.
func bar(n, most nanos) string {
	eighths := max(0, int(float64(n)/float64(most)*barWidth*8+0.5))
	if n > 0 {
		eighths = max(1, eighths)
	}
	return strings.Repeat("█", eighths/8) + []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}[eighths%8]
}

// printRows prints a table of some rows with one of their amounts, as shares of all calls.
func printRows(w io.Writer, rows []row, all row, title string, of func(row) nanos) {
	fmt.Fprintf(w, "  %-14s %8s %6s  %11s\n", "", "calls", "", title)
	for _, r := range slices.SortedFunc(slices.Values(rows), func(x, y row) int { return y.Calls - x.Calls }) {
		fmt.Fprintf(w, "  %-14s %8s %6s  %11s %6s\n", cmp.Or(r.Name, "(none)"), thousands(r.Calls), percent(r.Calls, all.Calls),
			of(r).short(), percent(of(r), of(all)))
	}
}

func (b *books) printCaches(w io.Writer, t *tally) {
	s := &b.ledger
	input := s.Tokens.Input + s.Tokens.CacheRead + s.Tokens.CacheWriteShort + s.Tokens.CacheWriteLong
	fmt.Fprintf(w, "exact cache    %s hits, %s of the answered calls (%s asked before)\n",
		thousands(s.Caches.Hits), percent(s.Caches.Hits, s.Calls), calls(t.repeats))
	fmt.Fprintf(w, "prompt caches  %s of the input tokens were read from a provider's cache\n", percent(s.Tokens.CacheRead, input))
}

func (b *books) printPools(w io.Writer, t *tally) {
	for _, p := range b.ledger.Pools {
		fmt.Fprintf(w, "pool %-9s %s calls, %s of those that were sent on; 24 hours of its GPUs cost %s, of eligible calls at the API %s\n",
			p.Pool, thousands(b.pool.Calls), percent(b.pool.Calls, b.pool.Calls+t.billed()), p.GPU.short(), p.API.short())
	}
}

func (b *books) printRefused(w io.Writer, t *tally) {
	if len(t.refused) == 0 {
		fmt.Fprintf(w, "refused        no call\n")
	}
	for _, team := range sortedKeys(t.refused) {
		fmt.Fprintf(w, "refused        %s of team %s", calls(t.refused[team]), team)
		for _, budget := range b.ledger.Budgets {
			if budget.Scope == "team="+team {
				fmt.Fprintf(w, ", which spent %s of %s (%s)", budget.Spent.short(), budget.Limit.short(), budget.Budget)
			}
		}
		fmt.Fprintln(w)
	}
}

// printVerdict says whether both sides came to the same sum.
func (b *books) printVerdict(w io.Writer, mismatch error) {
	verdict, sign := "equal", "="
	if mismatch != nil {
		verdict = "NOT EQUAL: " + mismatch.Error()
	}
	if b.ledger.vendorCost() != b.invoice.cost() {
		sign = "≠"
	}
	if gpu := b.ledger.Cost - b.ledger.vendorCost(); gpu != 0 {
		fmt.Fprintf(w, "\nledger USD %s less GPU time USD %s is what vendors bill:", b.ledger.Cost, gpu)
	}
	fmt.Fprintf(w, "\nledger USD %s %s invoice USD %s (%s calls): %s\n", b.ledger.vendorCost(), sign, b.invoice.cost(),
		thousands(b.invoice.Calls), verdict)
}

// calls counts calls in words.
func calls(n int) string {
	if n == 1 {
		return "1 call"
	}
	return thousands(n) + " calls"
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }
