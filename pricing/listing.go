package pricing

import (
	"fmt"
	"slices"
	"strings"
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

// Weekdays are the names that price files have for days of the week, in the order of time.Weekday.
var Weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Hours returns the window as price files spell it: the names of its days, from Sunday on, and the times of day at which
// it begins and ends, in UTC: "01:00", "24:00", with seconds only where there are any.
func (w *Window) Hours() (days []string, start, end string) {
	if w.always() {
		return Weekdays[:], "00:00", "24:00"
	}
	for i, name := range Weekdays {
		if w.Weekdays&(1<<i) != 0 {
			days = append(days, name)
		}
	}
	return days, timeOfDay(w.Start), timeOfDay(w.End)
}

func timeOfDay(d time.Duration) string {
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	if s != 0 {
		return fmt.Sprintf("%02d:%02d:%02d", h, m, s)
	}
	return fmt.Sprintf("%02d:%02d", h, m)
}

// String prints the window for people: "mon,tue 01:00-04:00 UTC but on 26 holidays", "always".
func (w *Window) String() string {
	if w.always() {
		return "always"
	}
	days, start, end := w.Hours()
	text := fmt.Sprintf("%s %s-%s UTC", strings.Join(days, ","), start, end)
	switch n := len(w.Except); n {
	case 0:
		return text
	case 1:
		return text + " but on 1 holiday"
	default:
		return fmt.Sprintf("%s but on %d holidays", text, n)
	}
}

// always reports whether it is the zero window.
func (w *Window) always() bool { return w.Weekdays == 0 && w.End == 0 }

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
	if w.always() {
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
