package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger/postgres"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// rerateFlags are the flags of farebox prices rerate.
type rerateFlags struct {
	policy, state, model string
	postgres             connection
	from, to             dateFlag
	apply, json          bool
}

// runRerate says what past calls would have cost at the present prices, and with --apply corrects the ledger.
func runRerate(ctx context.Context, args []string, e env) int {
	var r rerateFlags
	f := flags("prices rerate", "prices rerate --policy FILE (--state DIR | --postgres URL) [flags]", e)
	f.StringVar(&r.policy, "policy", "", "policy `FILE`, whose price files and discounts count")
	f.StringVar(&r.state, "state", "", "state `DIR` of a server")
	f.Var(&r.postgres, "postgres", "database of several servers: `URL` or file:PATH")
	f.Var(&r.from, "from", "first `DAY` (2026-03-14, UTC) or moment (RFC 3339); all by default")
	f.Var(&r.to, "to", "`DAY` or moment to end before")
	f.StringVar(&r.model, "model", "*", "only models as served that match this `GLOB`")
	f.BoolVar(&r.apply, "apply", false, "add the differences to the ledger; of a state folder no server may be using")
	f.BoolVar(&r.json, "json", false, "print JSON")
	if status, ok := parse(f, args); !ok {
		return status
	}
	wrong := onlyFlags(f, "policy")
	if wrong == "" && (r.state == "") == (r.postgres == "") {
		wrong = "one of --state DIR and --postgres URL is needed"
	}
	if wrong != "" {
		return misused(f, wrong)
	}
	if err := r.run(ctx, e); err != nil {
		return e.fail(err)
	}
	return statusOK
}

// books is a ledger whose calls are re-rated.
type books interface {
	Between(ctx context.Context, from, until time.Time) iter.Seq2[*ledger.Entry, error]
	Close() error
}

func (r *rerateFlags) run(ctx context.Context, e env) (err error) {
	set, err := load(r.policy, e.stderr)
	if err != nil {
		return err
	}
	from, adjust, err := r.open(ctx, e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	report := rerateReport{From: r.from.UTC(), To: r.to.UTC(), Kept: map[ledger.Kept]int64{}}
	if report.To.IsZero() {
		report.To = e.now()
	}
	var pending []ledger.Entry
	write := func(atLeast int) error {
		if len(pending) < atLeast {
			return nil
		}
		err := adjust(ctx, pending)
		pending = nil
		return err
	}
	for c, err := range ledger.Corrections(from.Between(ctx, report.From, report.To), repriceBy(set)) {
		if err != nil {
			return err
		}
		if !glob(r.model, string(c.Call.Model)) {
			continue
		}
		report.add(c)
		if r.apply && c.Changed() {
			pending = append(pending, c.Entry(e.now()))
			report.Applied++
			if err := write(adjustBatch); err != nil {
				return err
			}
		}
	}
	if err := write(1); err != nil {
		return err
	}
	report.sort()
	if r.json {
		return report.json(e.stdout)
	}
	return report.table(e.stdout, r.apply)
}

// adjustBatch is how many corrections are written at a time.
const adjustBatch = 1000

// open opens what is re-rated. A state folder is locked only where it is changed.
func (r *rerateFlags) open(ctx context.Context, e env) (books, func(context.Context, []ledger.Entry) error, error) {
	switch {
	case r.postgres != "":
		url, err := r.postgres.read()
		if err != nil {
			return nil, nil, err
		}
		db, err := postgres.Open(ctx, url)
		if err != nil {
			return nil, nil, err
		}
		return db, db.Adjust, nil
	case !r.apply:
		entries, err := ledger.ReadEntries(r.state)
		return entries, nil, err
	}
	l, err := ledger.Open(r.state, ledger.Options{Now: e.now})
	if err != nil {
		return nil, nil, err
	}
	return l, func(_ context.Context, corrections []ledger.Entry) error {
		for _, c := range corrections {
			if err := l.Adjust(c); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// repriceBy prices calls as the policy would now, each as of its own time.
func repriceBy(set *policies.Set) ledger.Reprice {
	return func(e *ledger.Entry) (pricing.Money, string, bool) {
		var listing *pricing.Listing
		for _, model := range [...]pricing.ModelName{e.Responded, e.Model} {
			if listing == nil && model != "" {
				listing = set.Lookup(e.Provider, model, e.At)
			}
		}
		if listing == nil {
			return 0, "", false
		}
		price, _ := listing.PriceFor(pricing.Terms{Service: e.Service, Region: e.Region})
		cost, err := price.Cost(e.Usage)
		return cost, listing.Source, err == nil
	}
}

// rerateReport is what re-rating came to.
type rerateReport struct {
	From, To time.Time
	Models   []*rerated
	Total    rerated
	Kept     map[ledger.Kept]int64
	Applied  int64
}

// rerated is the calls of one model.
type rerated struct {
	Provider       pricing.ProviderName
	Model          pricing.ModelName
	Calls, Changed int64
	Before, After  pricing.Money
}

func (r *rerateReport) add(c *ledger.Correction) {
	if c.Kept != ledger.Rerated {
		r.Kept[c.Kept]++
		return
	}
	i := slices.IndexFunc(r.Models, func(m *rerated) bool { return m.Provider == c.Call.Provider && m.Model == c.Call.Model })
	if i < 0 {
		i = len(r.Models)
		r.Models = append(r.Models, &rerated{Provider: c.Call.Provider, Model: c.Call.Model})
	}
	for _, sum := range [...]*rerated{r.Models[i], &r.Total} {
		sum.Calls++
		sum.Before = pricing.AddCapped(sum.Before, c.Call.Cost)
		sum.After = pricing.AddCapped(sum.After, c.Cost)
		if c.Changed() {
			sum.Changed++
		}
	}
}

// sort puts the greatest difference first.
func (r *rerateReport) sort() {
	size := func(m *rerated) pricing.Money { return max(m.After-m.Before, m.Before-m.After) }
	slices.SortFunc(r.Models, func(a, b *rerated) int {
		return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
}

func (r *rerateReport) table(out io.Writer, apply bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROVIDER\tMODEL\tCALLS\tCHANGED\tBEFORE USD\tAFTER USD\tDIFFERENCE USD")
	for _, m := range r.Models {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", m.Provider, m.Model, m.Calls, m.Changed, amount(m.Before), amount(m.After), amount(m.After-m.Before))
	}
	t := &r.Total
	fmt.Fprintf(w, "total\t\t%d\t%d\t%s\t%s\t%s\n", t.Calls, t.Changed, amount(t.Before), amount(t.After), amount(t.After-t.Before))
	for _, kept := range [...]ledger.Kept{ledger.KeptPool, ledger.KeptSaid, ledger.KeptBare, ledger.Unpriced} {
		if n := r.Kept[kept]; n > 0 {
			fmt.Fprintf(w, "\nkept as they are: %d, %s", n, kept)
		}
	}
	switch {
	case apply:
		fmt.Fprintf(w, "\n%d corrections added to the ledger\n", r.Applied)
	case t.Changed > 0:
		fmt.Fprintln(w, "\nnothing is changed yet: --apply adds the differences to the ledger")
	}
	return w.Flush()
}

// json prints amounts as strings of USD, as everywhere.
func (r *rerateReport) json(out io.Writer) error {
	type row struct {
		Provider   pricing.ProviderName `json:"provider,omitempty"`
		Model      pricing.ModelName    `json:"model,omitempty"`
		Calls      int64                `json:"calls"`
		Changed    int64                `json:"changed"`
		Before     string               `json:"before_usd"`
		After      string               `json:"after_usd"`
		Difference string               `json:"difference_usd"`
	}
	rowOf := func(m *rerated) row {
		return row{m.Provider, m.Model, m.Calls, m.Changed, m.Before.String(), m.After.String(), (m.After - m.Before).String()}
	}
	text := struct {
		From    time.Time             `json:"from"`
		To      time.Time             `json:"to"`
		Models  []row                 `json:"models"`
		Total   row                   `json:"total"`
		Kept    map[ledger.Kept]int64 `json:"kept"`
		Applied int64                 `json:"applied"`
	}{r.From, r.To, []row{}, rowOf(&r.Total), r.Kept, r.Applied}
	for _, m := range r.Models {
		text.Models = append(text.Models, rowOf(m))
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(text)
}
