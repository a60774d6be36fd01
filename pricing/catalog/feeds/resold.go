package feeds

import (
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// regional adds a tenth, in parts per million: what AWS and Google ask for processing Claude since 4.5 in one region.
// Source: the vendors' price lists; the community lists carry it for most of the models.
const regional = 1_100_000

// Notes of listings that are derived from curated ones.
const (
	pricedAs    = "priced as "
	makersPrice = "the maker's list price"
)

// regions are those of Bedrock's inference profiles that share a price.
var regions = []string{"us.", "eu.", "jp.", "au.", "apac."}

// mend corrects what the lists are known to have wrong, and drops what is stale.
func mend(offers []offer) []offer {
	out := make([]offer, 0, len(offers))
	for _, o := range offers {
		switch {
		case o.Provider == "deepseek" && len(o.Windows) > 0, o.Provider == "deepseek" && o.Source != "" && staleDeepSeek(&o):
			continue // hours of 2025, which ended that September
		case strings.Contains(string(o.Model), "claude-sonnet-5") && !o.From.IsZero():
			continue // the rise of 2026-09-01 was cancelled
		case strings.Contains(string(o.Model), "claude-sonnet-5"):
			o.Until = o.From
		}
		if strings.HasPrefix(string(o.Model), "regional.") && o.Provider == "aws_bedrock" {
			o.inRegions()
		}
		if !o.Unpriced {
			o.mendClaude()
		}
		out = append(out, o)
	}
	return out
}

// staleDeepSeek are the base prices that belong to those hours.
func staleDeepSeek(o *offer) bool {
	return strings.HasPrefix(o.Source, "genai-prices") && (o.Model == "deepseek-chat" || o.Model == "deepseek-reasoner")
}

// inRegions spells a name of genai-prices as Bedrock's profiles are.
func (o *offer) inRegions() {
	rest := strings.TrimPrefix(string(o.Model), "regional.")
	aliases := []pricing.ModelName{o.Model}
	for _, region := range regions[1:] {
		aliases = append(aliases, pricing.ModelName(region+rest))
	}
	o.Model, o.Aliases = pricing.ModelName(regions[0]+rest), append(aliases, o.Aliases...)
}

// mendClaude unstates long cache writes that cannot be, and adds the regional tenth where a list has it missing.
func (o *offer) mendClaude() {
	if !strings.Contains(string(o.Model), "claude") {
		return
	}
	q := &o.quote
	if q.has(writeLong) && (q.CacheWriteLong < q.CacheWriteShort || q.CacheWriteLong > 4*q.Input) {
		q.stated &^= writeLong
		q.CacheWriteLong = 0
	}
	q.longWrites(o.Model)
	if o.Provider == "google" && claude45(o.Model) {
		o.Uplifts = []pricing.Uplift{{Region: pricing.AnyRegion, PPM: regional}}
	}
	// Opus 4.5 costs 5 dollars: a profile of one region at that price lacks the tenth.
	if o.Provider == "aws_bedrock" && strings.HasPrefix(string(o.Model), "eu.anthropic.claude-opus-4-5") && q.Input == 5*pricing.Rate(pricing.Dollar) {
		for _, k := range allKinds {
			if q.has(k) {
				q.set(k, ratio(*q.field(k), 10, 11))
			}
		}
		o.note("with the tenth that a region costs, which the source leaves out")
	}
}

// bedrockNames adds spellings to listings of Bedrock: without the revision ("-v1:0"), and the regions of a Claude's
// profile that no list has.
func bedrockNames(community, curated []pricing.Listing) []pricing.Listing {
	taken := make(map[pricing.ModelName]*pricing.Listing)
	all := slices.Concat(community, curated)
	for i := range all {
		if all[i].Provider == "aws_bedrock" {
			for _, name := range append([]pricing.ModelName{all[i].Model}, all[i].Aliases...) {
				taken[name] = &all[i]
			}
		}
	}
	wanted := make(map[pricing.ModelName][]*pricing.Listing)
	for i := range community {
		l := &community[i]
		if l.Provider != "aws_bedrock" {
			continue
		}
		for _, name := range append([]pricing.ModelName{l.Model}, l.Aliases...) {
			for _, spelling := range bedrockSpellings(name) {
				if taken[spelling] == nil && !slices.Contains(wanted[spelling], l) {
					wanted[spelling] = append(wanted[spelling], l)
				}
			}
		}
	}
	for _, spelling := range sortedNames(wanted) {
		rows := wanted[spelling]
		same := !slices.ContainsFunc(rows, func(l *pricing.Listing) bool { return !sameTokens(l.Price, rows[0].Price) || l.Unpriced })
		if same || sameModel(rows) {
			for _, l := range rows {
				if same && l != rows[0] {
					continue
				}
				l.Aliases = append(slices.Clip(l.Aliases), spelling)
			}
		}
	}
	return community
}

// sameModel reports whether the listings are those of one model at several times.
func sameModel(rows []*pricing.Listing) bool {
	return !slices.ContainsFunc(rows, func(l *pricing.Listing) bool { return l.Model != rows[0].Model || l.Unpriced })
}

func bedrockSpellings(name pricing.ModelName) []pricing.ModelName {
	var out []pricing.ModelName
	text := string(name)
	if strings.Contains(text, "/") { // a region's own price: "us-gov-west-1/anthropic.claude-v2"
		return nil
	}
	if bare, ok := cutRevision(name); ok {
		out = append(out, bare)
	}
	for _, region := range regions {
		rest, ok := strings.CutPrefix(text, region)
		if !ok || !strings.HasPrefix(rest, "anthropic.claude") {
			continue
		}
		for _, other := range regions {
			sibling := pricing.ModelName(other + rest)
			out = append(out, sibling)
			if bare, ok := cutRevision(sibling); ok {
				out = append(out, bare)
			}
		}
	}
	return out
}

// cutRevision removes "-v1" or "-v1:0" behind a name that says itself which model it is: "anthropic.claude-v2" does not.
func cutRevision(name pricing.ModelName) (pricing.ModelName, bool) {
	i := strings.LastIndex(string(name), "-v")
	if i < 0 || !strings.ContainsAny(string(name[:i]), "0123456789") || len(name) < i+3 || name[i+2] == '0' {
		return "", false
	}
	return name[:i], strings.Trim(string(name[i+2:]), "0123456789:") == ""
}

func sortedNames(m map[pricing.ModelName][]*pricing.Listing) []pricing.ModelName {
	names := make([]pricing.ModelName, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// resold lists the newer Claude models at AWS and Google where no list has them: at the maker's price, and a tenth more
// in a region.
func resold(community, curated []pricing.Listing) []pricing.Listing {
	table := pricing.NewTable(slices.Concat(curated, community))
	var out []pricing.Listing
	for _, l := range curated {
		if l.Provider != "anthropic" || !claude45(l.Model) {
			continue
		}
		for _, name := range append([]pricing.ModelName{l.Model}, l.Aliases...) {
			out = append(out, resoldAs(table, l, name)...)
		}
	}
	return out
}

func resoldAs(table *pricing.Table, l pricing.Listing, name pricing.ModelName) []pricing.Listing {
	l.Variants, l.Uplifts, l.Rival, l.Price.Fees = nil, nil, nil, pricing.Fees{}
	l.Note = makersPrice
	listed := func(p pricing.ProviderName, name pricing.ModelName) bool {
		return table.Lookup(p, name, l.From) != nil && table.Lookup(p, name, l.From).Provider == p
	}
	var out []pricing.Listing
	if !listed("google", name) {
		g := l
		g.Provider, g.Model, g.Aliases = "google", name, nil
		g.Uplifts = []pricing.Uplift{{Region: pricing.AnyRegion, PPM: regional}}
		out = append(out, g)
	}
	bare := pricing.ModelName("anthropic." + string(name))
	if !listed("aws_bedrock", "global."+bare) && !listed("aws_bedrock", bare) {
		b := l
		b.Provider, b.Model, b.Aliases = "aws_bedrock", "global."+bare, []pricing.ModelName{bare}
		out = append(out, b)
	}
	if price, err := l.Price.Scaled(regional); err == nil && !listed("aws_bedrock", "us."+bare) {
		b := l
		b.Provider, b.Model, b.Price, b.Aliases = "aws_bedrock", "us."+bare, price, nil
		for _, region := range regions[1:] {
			b.Aliases = append(b.Aliases, pricing.ModelName(region)+bare)
		}
		b.Note += " and a tenth for the region"
		out = append(out, b)
	}
	return out
}
