package pricing

import (
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

	// Unpriced marks a model whose price is not known, or in a unit that no Usage counts; Note says which. Lookup
	// finds no listing for its names, so that nobody takes it for free.
	Unpriced bool

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
