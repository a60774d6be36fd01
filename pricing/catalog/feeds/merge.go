package feeds

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// Lists are the two community lists that the catalogue is built from.
type Lists struct {
	LiteLLM, GenAI             io.Reader
	LiteLLMSource, GenAISource Source
}

// Merge reads both lists and returns what they say of models of which curated says nothing, by provider, model and
// time. Where both price a model and agree, the listing names both as its source; where they do not, it is disputed:
// the dearer rate of every kind counts. What the lists are known to have wrong is mended first.
func Merge(in Lists, curated []pricing.Listing) ([]pricing.Listing, error) {
	llm, err := litellm(in.LiteLLM, in.LiteLLMSource)
	if err != nil {
		return nil, fmt.Errorf("LiteLLM: %w", err)
	}
	gen, err := genai(in.GenAI, in.GenAISource)
	if err != nil {
		return nil, fmt.Errorf("genai-prices: %w", err)
	}
	at, err := time.Parse(time.DateOnly, in.LiteLLMSource.AsOf)
	if err != nil {
		return nil, fmt.Errorf("LiteLLM: %w", err)
	}
	m := merger{at: at, first: make(map[pricing.Model][]offer), second: make(map[pricing.Model][]offer), kin: make(kin)}
	m.index(mend(llm), mend(gen))
	out := m.merge()
	halve(out)
	out = beneath(out, curated, m.kin)
	out = bedrockNames(out, curated)
	return ordered(append(out, resold(out, curated)...)), nil
}

func ordered(listings []pricing.Listing) []pricing.Listing {
	slices.SortStableFunc(listings, func(a, b pricing.Listing) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model), a.From.Compare(b.From))
	})
	return listings
}

// Rebase takes what Merge returned over to other curated listings: what it derived from the former ones is derived from
// these. Names that the former decided and these do not stay without a listing.
func Rebase(community, curated []pricing.Listing) []pricing.Listing {
	c := indexCurated(curated)
	adopted := make(map[pricing.Model]bool)
	var out []pricing.Listing
	for _, l := range community {
		family, further := strings.CutPrefix(l.Note, pricedAs)
		switch {
		case strings.HasPrefix(l.Note, makersPrice):
		case further:
			names := append([]pricing.ModelName{l.Model}, l.Aliases...)
			out = append(out, c.adopt(l.Provider, pricing.ModelName(family), names, adopted)...)
		default:
			out = append(out, l)
		}
	}
	out = beneath(out, curated, nil)
	return ordered(append(out, resold(out, curated)...))
}

// merger holds the offers of both lists by name.
type merger struct {
	at            time.Time // the day of the first list, which knows no history
	first, second map[pricing.Model][]offer
	rest          []offer // of the second list alone, with all aliases that the first does not list
	kin           kin
}

// kin are all names that a list has for a model, by one of them.
type kin map[pricing.Model][]pricing.ModelName

func (m *merger) index(first, second []offer) {
	for _, o := range first {
		for _, name := range append([]pricing.ModelName{o.Model}, o.Aliases...) {
			key := pricing.Model{Provider: o.Provider, Name: name}
			m.first[key] = append(m.first[key], o)
		}
	}
	for _, o := range second {
		var own []pricing.ModelName
		all := append([]pricing.ModelName{o.Model}, o.Aliases...)
		for _, name := range all {
			key := pricing.Model{Provider: o.Provider, Name: name}
			if _, both := m.first[key]; both {
				m.second[key] = append(m.second[key], o)
			} else {
				own = append(own, name)
			}
		}
		if len(own) > 0 {
			m.kin[pricing.Model{Provider: o.Provider, Name: own[0]}] = all
			o.Model, o.Aliases = own[0], own[1:]
			m.rest = append(m.rest, o)
		}
	}
}

func (m *merger) merge() []pricing.Listing {
	out := listings(m.rest)
	for _, key := range slices.SortedFunc(maps.Keys(m.first), compareModels) {
		ours := m.first[key][0]
		for _, o := range m.first[key][1:] {
			ours = settle(ours, o)
		}
		for _, o := range m.second[key] {
			inForce := !m.at.Before(o.From) && (o.Until.IsZero() || m.at.Before(o.Until)) && len(o.Windows) == 0
			o.Model, o.Aliases = key.Name, nil
			if inForce {
				from, end := o.From, o.Until
				ours = settle(ours, o)
				ours.From, ours.Until = from, end
				continue
			}
			out = append(out, o.listing())
		}
		ours.Model, ours.Aliases = key.Name, nil
		out = append(out, ours.finished())
	}
	return out
}

func compareModels(a, b pricing.Model) int {
	return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Name, b.Name))
}

// settle makes one offer of two. Each takes from the other what it does not state; if they then differ, the result is
// disputed.
func settle(a, b offer) offer {
	if a.Unpriced != b.Unpriced {
		if a.Unpriced {
			a, b = b, a
		}
		a.Limits = orLimits(a.Limits, b.Limits)
		return a
	}
	if a.Unpriced {
		return a
	}
	out := a
	out.Limits = orLimits(a.Limits, b.Limits)
	if out.Rival != nil { // of three sources two are shown
		return out
	}
	if len(out.Variants) == 0 {
		out.Variants = b.Variants
	}
	out.quote.fillFrom(&b.quote)
	b.quote.fillFrom(&a.quote)
	mine, theirs := out.quote.price(), b.quote.price()
	if samePrice(mine, theirs) {
		if a.Source != b.Source {
			out.Source, out.AsOf = a.Source+"+"+b.Source, max(a.AsOf, b.AsOf)
		}
		return out
	}
	out.Rival = &pricing.Rival{Price: mine, Other: theirs, Source: b.Source, AsOf: b.AsOf}
	return out
}

// finished is the listing of an offer, at the dearer price where it is disputed.
func (o *offer) finished() pricing.Listing {
	l := o.listing()
	if l.Rival != nil {
		l.Price = pricing.Dearer(l.Rival.Price, l.Rival.Other)
	}
	l.Variants = slices.Clone(l.Variants)
	for i := range l.Variants {
		l.Variants[i].Price.Fees = l.Price.Fees
	}
	return l
}

// fillFrom takes from another quote the rates and fees that this one does not state, and those of brackets that both
// have.
func (q *quote) fillFrom(other *quote) {
	q.fill(&other.sheet)
	q.steps = slices.Clone(q.steps)
	for i := range q.steps {
		for j := range other.steps {
			if q.steps[i].above == other.steps[j].above {
				q.steps[i].fill(&other.steps[j].sheet)
			}
		}
	}
	for _, pair := range [][2]*pricing.Rate{
		{&q.fees.Request, &other.fees.Request}, {&q.fees.WebSearch, &other.fees.WebSearch}, {&q.fees.CodeRun, &other.fees.CodeRun},
		{&q.fees.SearchUnit, &other.fees.SearchUnit}, {&q.fees.Image, &other.fees.Image}, {&q.fees.Second, &other.fees.Second},
		{&q.fees.Character, &other.fees.Character},
	} {
		if *pair[0] == 0 {
			*pair[0] = *pair[1]
		}
	}
}

func samePrice(a, b pricing.Price) bool {
	return a.Rates == b.Rates && a.Fees == b.Fees && slices.Equal(a.Brackets, b.Brackets)
}

// sameTokens compares prices without their fees.
func sameTokens(a, b pricing.Price) bool {
	return a.Rates == b.Rates && slices.Equal(a.Brackets, b.Brackets)
}

func orLimits(a, b pricing.Limits) pricing.Limits {
	return pricing.Limits{
		Context: cmp.Or(a.Context, b.Context), MaxOutput: cmp.Or(a.MaxOutput, b.MaxOutput), CacheMinimum: cmp.Or(a.CacheMinimum, b.CacheMinimum),
	}
}

// beneath drops what the curated listings decide: names that they list, and snapshots at the price of a family that
// they list, so that these have its history and its classes of service too. Of names that they list from a moment on,
// it keeps what held before. Further names of a model that they list are priced as that model.
func beneath(community, curated []pricing.Listing, names kin) []pricing.Listing {
	c := indexCurated(curated)
	var out []pricing.Listing
	adopted := make(map[pricing.Model]bool)
	for _, l := range community {
		byEnd := make(map[time.Time][]pricing.ModelName) // names by the moment at which the curated listing begins
		for _, name := range append([]pricing.ModelName{l.Model}, l.Aliases...) {
			end, decided := c.decides(&l, name)
			if !decided || (!end.IsZero() && l.From.Before(end)) {
				byEnd[end] = append(byEnd[end], name)
			}
		}
		family := c.family(&l, names[pricing.Model{Provider: l.Provider, Name: l.Model}])
		if further := byEnd[time.Time{}]; family != "" && len(further) > 0 {
			delete(byEnd, time.Time{})
			out = append(out, c.adopt(l.Provider, family, further, adopted)...)
		}
		for _, end := range slices.SortedFunc(maps.Keys(byEnd), time.Time.Compare) {
			kept := l
			kept.Model, kept.Aliases = byEnd[end][0], slices.Clone(byEnd[end][1:])
			if !end.IsZero() && (kept.Until.IsZero() || end.Before(kept.Until)) {
				kept.Until = end
			}
			out = append(out, kept)
		}
	}
	return out
}

// charges reports whether a curated listing of the name has the price of l.
func (c curatedIndex) charges(l *pricing.Listing, name pricing.ModelName) bool {
	return slices.ContainsFunc(c.of(l.Provider, name), func(row *pricing.Listing) bool {
		return row.Price.Input == l.Price.Input && row.Price.Output == l.Price.Output
	})
}

// family returns a name that the curated listings have at the price of l, "" for none.
func (c curatedIndex) family(l *pricing.Listing, names []pricing.ModelName) pricing.ModelName {
	for _, name := range names {
		if c.charges(l, name) {
			return name
		}
	}
	return ""
}

// adopt lists further names of a curated model, each once.
func (c curatedIndex) adopt(p pricing.ProviderName, family pricing.ModelName, names []pricing.ModelName, done map[pricing.Model]bool) []pricing.Listing {
	names = slices.DeleteFunc(names, func(name pricing.ModelName) bool {
		key := pricing.Model{Provider: p, Name: name}
		known := done[key]
		done[key] = true
		return known
	})
	if len(names) == 0 {
		return nil
	}
	var out []pricing.Listing
	for _, row := range c.of(p, family) {
		l := *row
		l.Model, l.Aliases, l.Note = names[0], slices.Clone(names[1:]), pricedAs+string(row.Model)
		out = append(out, l)
	}
	return out
}

// of returns the curated listings of a name, or of its family where it is a snapshot.
func (c curatedIndex) of(p pricing.ProviderName, name pricing.ModelName) []*pricing.Listing {
	if rows := c.rows[pricing.Model{Provider: p, Name: name}]; len(rows) > 0 {
		return rows
	}
	family, _ := name.CutDate()
	return c.rows[pricing.Model{Provider: p, Name: family}]
}

// curatedIndex knows the curated listings by name, and when the first of each begins.
type curatedIndex struct {
	rows  map[pricing.Model][]*pricing.Listing
	begin map[pricing.Model]time.Time
}

func indexCurated(curated []pricing.Listing) curatedIndex {
	c := curatedIndex{make(map[pricing.Model][]*pricing.Listing), make(map[pricing.Model]time.Time)}
	for i := range curated {
		l := &curated[i]
		for _, name := range append([]pricing.ModelName{l.Model}, l.Aliases...) {
			key := pricing.Model{Provider: l.Provider, Name: name}
			if begin, known := c.begin[key]; !known || l.From.Before(begin) {
				c.begin[key] = l.From
			}
			c.rows[key] = append(c.rows[key], l)
		}
	}
	return c
}

// decides reports whether the curated listings decide a name of l, and from when on; the zero time is always.
func (c curatedIndex) decides(l *pricing.Listing, name pricing.ModelName) (time.Time, bool) {
	key := pricing.Model{Provider: l.Provider, Name: name}
	if begin, known := c.begin[key]; known {
		return begin, true
	}
	_, dated := name.CutDate()
	return time.Time{}, dated && c.charges(l, name)
}

// claude45 reports whether a name is one of the Claude models since 4.5, whose regional processing costs a tenth more
// at AWS and Google.
func claude45(name pricing.ModelName) bool {
	_, rest, ok := strings.Cut(string(name), "claude-")
	if !ok {
		return false
	}
	family, version, _ := strings.Cut(rest, "-")
	if !slices.Contains([]string{"opus", "sonnet", "haiku", "fable", "mythos"}, family) || version == "" {
		return false
	}
	if version[0] == '4' {
		return len(version) >= 3 && version[1] == '-' && version[2] >= '5' && version[2] <= '9' && (len(version) == 3 || version[3] < '0' || version[3] > '9')
	}
	return version[0] >= '5' && version[0] <= '9'
}
