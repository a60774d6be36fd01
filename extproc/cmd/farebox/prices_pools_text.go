package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// poolColumns explain the tables, an entry for each number.
var poolColumns = [...][2]string{
	{"GPUS", "how many; of these, what share is spot"},
	{"USD/HOUR", "what they cost together, busy or not, at the policy's prices"},
	{"USD/DAY", "24 hours of that"},
	{"TOKENS/S", "tokens of prompts and answers that the pool processes when busy, and the quantisation, as the policy states"},
	{"BUSY USD/M", "what a million tokens cost at that throughput; calls are booked at it"},
	{"USED", "measured: tokens of the last minutes over what the policy states"},
	{"USED USD/M", "what a million tokens really cost at that utilisation"},
	{"CAPACITY", "tokens a day that the pool processes at most, of the model that it is fastest with"},
	{"ELIGIBLE", "tokens of the calls of the last 24 hours that could have gone to the pool, wherever they went"},
	{"API USD/M", "what a million tokens cost at INSTEAD OF, the tier's first API model, in the mix of input and output below"},
	{"BREAK-EVEN", "tokens per day above which the pool is cheaper than that; in brackets the share of what it processes of\n\tthe model in a day: above 100% it never is cheaper"},
}

// table prints what the pools cost, then how that compares with the API, what the columns mean, and what is to be said of each pool.
func (r *poolsReport) table(to io.Writer) error {
	if len(r.rows) == 0 {
		_, err := fmt.Fprintln(to, "the policy has no pools")
		return err
	}
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "POOL\tMODEL\tGPUS\tUSD/HOUR\tUSD/DAY\tTOKENS/S\tBUSY USD/M\tUSED\tUSED USD/M")
	for i := range r.rows {
		fmt.Fprintln(w, r.rows[i].costLine())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "POOL\tMODEL\tCAPACITY TOKENS/DAY\tELIGIBLE TOKENS/24 H\tBREAK-EVEN TOKENS/DAY\tINSTEAD OF\tAPI USD/M\tIN USE")
	for i := range r.rows {
		fmt.Fprintln(w, r.rows[i].useLine(r.hasState))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, c := range poolColumns {
		fmt.Fprintf(w, "%s\t%s\n", c[0], c[1])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(to)
	for i := range r.rows {
		row := &r.rows[i]
		word, why := row.inUse(r.hasState)
		fmt.Fprintf(to, "%s: in use: %s, %s; input to output %s\n", row.name(), word, why, row.mix)
		if i == 0 || r.rows[i-1].def != row.def {
			fmt.Fprintf(to, "%s: %s\n", row.def.Name, r.loadText(&row.status.Load))
		}
	}
	return nil
}

// loadText is what is known of the load of a pool.
func (r *poolsReport) loadText(l *upstream.Load) string {
	if !r.hasState {
		return "utilisation unknown: --state DIR reads what a server has measured"
	}
	return loadText(l)
}

// name is the model as tiers name it.
func (r *poolRow) name() string {
	if r.model == "" {
		return string(r.def.Name)
	}
	return string(r.def.Name) + "/" + string(r.model)
}

// costLine is what the pool costs, with tabs.
func (r *poolRow) costLine() string {
	return strings.Join([]string{
		string(r.def.Name), cmp.Or(string(r.model), "-"), r.gpus(), amount(r.hour()), amount(r.status.GPUCost24h), r.throughput(),
		r.busy().String(), usedText(&r.status.Load), orDash(r.used()),
	}, "\t")
}

// useLine is how that compares with the API, with tabs.
func (r *poolRow) useLine(hasState bool) string {
	word, _ := r.inUse(hasState)
	instead := "-"
	if r.instead.Model != "" {
		instead = string(r.instead.Route) + "/" + string(r.instead.Model)
	}
	return strings.Join([]string{
		string(r.def.Name), cmp.Or(string(r.model), "-"), thousands(r.status.Capacity), r.eligible(hasState), r.evenText(), instead,
		orDash(r.api), word,
	}, "\t")
}

// thousands prints a count, zero or more, with commas: "345,600,000".
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func (r *poolRow) gpus() string {
	if r.def.SpotShare == 0 || r.def.SpotHour == 0 {
		return fmt.Sprint(r.def.GPUs)
	}
	return fmt.Sprintf("%d, %d%% spot", r.def.GPUs, r.def.SpotShare)
}

// hour is what the GPUs cost in an hour.
func (r *poolRow) hour() pricing.Money { return r.status.GPUCost24h / 24 }

// amount is usd in a column that says what it is of.
func amount(m pricing.Money) string { return strings.TrimSuffix(usd(m), " USD") }

func (r *poolRow) throughput() string {
	if r.quant == "" {
		return thousands(r.speed)
	}
	return fmt.Sprintf("%s %s", thousands(r.speed), r.quant)
}

func (r *poolRow) eligible(hasState bool) string {
	if !hasState {
		return "unknown"
	}
	return thousands(r.status.Tokens24h)
}

func (r *poolRow) evenText() string {
	if r.api <= 0 {
		return "-"
	}
	return fmt.Sprintf("%s (%.1f%%)", thousands(r.breakEven()), 100*r.breakEvenShare())
}

func orDash(r pricing.Rate) string {
	if r == 0 {
		return "-"
	}
	return r.String()
}

// usedText is a measured utilisation.
func usedText(l *upstream.Load) string {
	if !l.Known {
		return "unknown"
	}
	return fmt.Sprintf("%.1f%%", 100*l.Utilisation)
}

// loadText says what the servers of a pool say of themselves.
func loadText(l *upstream.Load) string {
	text := "utilisation " + usedText(l)
	if !l.Known {
		text += ": " + l.Why
	}
	if l.Measured == 0 {
		return text
	}
	return fmt.Sprintf("%s; at %s, on %d of %s, %s running, %d waiting, key-value cache %.1f%% full",
		text, l.At.UTC().Format("15:04:05 MST"), l.Measured, count(l.Servers, "server"), count(int(l.Running), "request"), l.Waiting, 100*l.Cache)
}

// String prints the ratio, and where it is from.
func (m mix) String() string {
	if m.Measured {
		return fmt.Sprintf("%d:%d tokens, as in the last 24 hours", m.Input, m.Output)
	}
	return fmt.Sprintf("%d:%d, taken as usual, since no call of the last 24 hours tells", m.Input, m.Output)
}

// json prints amounts as strings of USD, as everywhere; what is not known is left out.
func (r *poolsReport) json(to io.Writer) error {
	out := struct {
		At    time.Time  `json:"at"`
		Pools []poolJSON `json:"pools"`
	}{r.at, []poolJSON{}}
	for i := range r.rows {
		out.Pools = append(out.Pools, r.rows[i].asJSON(r.hasState))
	}
	enc := json.NewEncoder(to)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// poolJSON is a row of the table.
type poolJSON struct {
	Pool         policies.RouteName `json:"pool"`
	Model        pricing.ModelName  `json:"model,omitempty"`
	Quantisation string             `json:"quantisation,omitempty"`
	Tier         policies.TierName  `json:"tier,omitempty"`
	GPUs         int64              `json:"gpus"`
	SpotPercent  int64              `json:"spot_percent"`
	Hour         string             `json:"usd_per_hour"`
	Day          string             `json:"usd_per_day"`
	Throughput   int64              `json:"throughput_tokens_per_second"`
	Busy         string             `json:"busy_usd_per_million"`
	Load         upstream.Load      `json:"load"`
	Used         string             `json:"used_usd_per_million,omitempty"`
	Capacity     int64              `json:"capacity_tokens_per_day"`
	Eligible     *int64             `json:"eligible_tokens_24h,omitempty"`
	Taken        *int64             `json:"taken_tokens_24h,omitempty"`
	InsteadOf    string             `json:"instead_of,omitempty"`
	API          string             `json:"api_usd_per_million,omitempty"`
	MixInput     int64              `json:"mix_input_tokens"`
	MixOutput    int64              `json:"mix_output_tokens"`
	MixMeasured  bool               `json:"mix_measured"`
	BreakEven    int64              `json:"break_even_tokens_per_day,omitempty"`
	EvenShare    float64            `json:"break_even_share,omitempty"` // of what the pool processes of the model in a day
	InUse        string             `json:"in_use"`                     // yes, no or unknown
	Why          string             `json:"why"`
}

func (r *poolRow) asJSON(hasState bool) poolJSON {
	j := poolJSON{
		Pool: r.def.Name, Model: r.model, Quantisation: r.quant, GPUs: r.def.GPUs, Hour: r.hour().String(),
		Day: r.status.GPUCost24h.String(), Throughput: r.speed, Busy: r.busy().String(), Load: r.status.Load,
		Capacity: r.status.Capacity, MixInput: r.mix.Input, MixOutput: r.mix.Output, MixMeasured: r.mix.Measured,
	}
	if r.def.SpotHour > 0 {
		j.SpotPercent = r.def.SpotShare
	}
	if r.tier != nil {
		j.Tier = r.tier.Name
	}
	if rate := r.used(); rate > 0 {
		j.Used = rate.String()
	}
	if hasState {
		j.Eligible, j.Taken = &r.status.Tokens24h, &r.status.Taken24h
	}
	if r.instead.Model != "" {
		j.InsteadOf = string(r.instead.Route) + "/" + string(r.instead.Model)
	}
	if r.api > 0 {
		j.API, j.BreakEven, j.EvenShare = r.api.String(), r.breakEven(), r.breakEvenShare()
	}
	j.InUse, j.Why = r.inUse(hasState)
	return j
}
