package pricing

import (
	"cmp"
	"slices"
	"time"
)

// Limits says how much a model takes and gives, in tokens. Zero means unknown.
type Limits struct {
	Context   int64 // prompt and answer together; the longest prompt where the source states only that
	MaxOutput int64 // longest answer; where the vendor states none, the context window

	// CacheMinimum is the shortest prefix that the provider's prompt cache keeps; the largest of the values
	// where sources disagree. Callers use 4096 where it is unknown.
	CacheMinimum int64
}

// Window is a weekly stretch of time at which a listing applies: from Start up to, not including, End, both
// since midnight UTC and at most 24 hours, on the days of Weekdays (bit 0 is Sunday) but not on those of Except. The
// zero Window is always.
type Window struct {
	Start, End time.Duration
	Weekdays   uint8
	Except     []Day // public holidays, rising
}

// Day counts days since 1970-01-01, in UTC.
type Day int32

// DayOf returns the day of a moment.
func DayOf(t time.Time) Day {
	const seconds = 24 * 60 * 60
	unix := t.Unix()
	day := unix / seconds
	if unix%seconds < 0 {
		day--
	}
	return Day(day)
}

// contains reports whether at falls in the window.
func (w Window) contains(at time.Time) bool {
	if w.Weekdays == 0 && w.End == 0 {
		return true
	}
	at = at.UTC()
	if _, holiday := slices.BinarySearch(w.Except, DayOf(at)); holiday {
		return false
	}
	if w.Weekdays&(1<<at.Weekday()) == 0 {
		return false
	}
	sinceMidnight := at.Sub(at.Truncate(24 * time.Hour))
	return w.Start <= sinceMidnight && sinceMidnight < w.End
}

// Listing is one published price: for a model of a provider, over a range of time.
type Listing struct {
	Provider ProviderName
	Model    ModelName
	Aliases  []ModelName // other names that are billed as this model
	Price    Price
	Variants []Variant // what other classes of service cost
	Uplifts  []Uplift  // what processing in a region adds
	Limits   Limits
	From     time.Time // first moment at which the price holds; zero: always has
	Until    time.Time // first moment at which it no longer does; zero: still does
	Windows  []Window  // hours at which it holds, any of them; empty: all
	Source   string    // where the price was read
	AsOf     string    // the day on which it was read, YYYY-MM or YYYY-MM-DD
	Note     string    // what a person should know before relying on it

	// Rival is the price of another source that disagrees, where no better source decides: the price is disputed,
	// and Price holds the dearer rate of every kind.
	Rival *Rival
}

// Rival is a disputed listing's other side.
type Rival struct {
	Price        Price  // as the listing's own source has it, before the dearer rates were taken
	Other        Price  // as the other source has it
	Source, AsOf string // of Other
}

// holds reports whether the listing's price is in force at a moment.
func (l *Listing) holds(at time.Time) bool {
	if at.Before(l.From) || (!l.Until.IsZero() && !at.Before(l.Until)) {
		return false
	}
	return len(l.Windows) == 0 || slices.ContainsFunc(l.Windows, func(w Window) bool { return w.contains(at) })
}

// Table finds listings by model. It is immutable after NewTable and safe for concurrent use. The nil Table
// knows no model.
type Table struct {
	listings []Listing
	byName   map[tableKey][]*Listing // in order of precedence
}

type tableKey struct {
	provider ProviderName
	model    ModelName
}

// NewTable copies and indexes the listings. Where several hold at the same moment for one name, a model of that
// name stands before an alias, then a listing with hours before one without, then the one with the later From.
func NewTable(listings []Listing) *Table {
	t := &Table{listings: slices.Clone(listings), byName: make(map[tableKey][]*Listing, len(listings))}
	for i := range t.listings {
		l := &t.listings[i]
		l.Aliases, l.Windows = slices.Clone(l.Aliases), slices.Clone(l.Windows)
		for _, name := range append([]ModelName{l.Model}, l.Aliases...) {
			key := tableKey{l.Provider, name}
			t.byName[key] = append(t.byName[key], l)
		}
	}
	for key, rows := range t.byName {
		slices.SortStableFunc(rows, func(a, b *Listing) int {
			return cmp.Or(
				-compareBool(a.Model == key.model, b.Model == key.model),
				-compareBool(len(a.Windows) > 0, len(b.Windows) > 0),
				b.From.Compare(a.From),
			)
		})
	}
	return t
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Listings returns every listing in the order given to NewTable. The caller must not change them.
func (t *Table) Listings() []Listing {
	if t == nil {
		return nil
	}
	return t.listings
}

// Lookup returns the listing in force for a model at a moment, or nil for an unknown one. An exact name or
// alias comes first; else a trailing release date ("-2025-04-14", "-20250929", "@20250929") is cut off and
// the rest looked up. A dated name that is listed never falls back to its family, not even at a moment at which
// none of its own listings holds. A name is never matched by prefix: "gpt-5-pro" is not "gpt-5".
func (t *Table) Lookup(provider ProviderName, model ModelName, at time.Time) *Listing {
	if t == nil {
		return nil
	}
	rows, listed := t.byName[tableKey{provider, model}]
	if base, dated := model.CutDate(); !listed && dated {
		rows = t.byName[tableKey{provider, base}]
	}
	for _, l := range rows {
		if l.holds(at) {
			return l
		}
	}
	return nil
}

// CutDate removes a trailing release date ("-2025-04-14", "-20250929", "@20250929") and reports whether there was one.
func (m ModelName) CutDate() (ModelName, bool) {
	for _, shape := range [...]string{"-0000-00-00", "-00000000", "@00000000"} {
		cut := len(m) - len(shape)
		if cut > 0 && matches(string(m[cut:]), shape) {
			return m[:cut], true
		}
	}
	return "", false
}

// matches compares s with a shape of the same length, in which 0 stands for any digit.
func matches(s, shape string) bool {
	for i := range len(shape) {
		digit := s[i] >= '0' && s[i] <= '9'
		if (shape[i] == '0') != digit || (!digit && s[i] != shape[i]) {
			return false
		}
	}
	return true
}
