package pricing

import (
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// noted makes listings of acme that tests tell apart by their notes.
func noted(note string, l Listing) Listing {
	l.Provider, l.Note = "acme", note
	return l
}

func TestLookup(t *testing.T) {
	table := NewTable([]Listing{
		noted("family", Listing{Model: "m"}),
		noted("pro", Listing{Model: "m-pro", Aliases: []ModelName{"m-best", "m-0613"}}),
		noted("snapshot", Listing{Model: "m-2024-05-13"}),
		noted("retired", Listing{Model: "m-2023-01-01", Until: date(2025, 1, 1)}),
		noted("dated only", Listing{Model: "n-20250805", Aliases: []ModelName{"n"}}),
		noted("before", Listing{Model: "cut", Until: date(2026, 7, 30)}),
		noted("after", Listing{Model: "cut", From: date(2026, 7, 30)}),
		noted("always", Listing{Model: "sale"}),
		noted("sale", Listing{Model: "sale", From: date(2026, 8, 21), Until: date(2026, 11, 22)}),
		noted("own", Listing{Model: "taken"}),
		noted("thief", Listing{Model: "other", Aliases: []ModelName{"taken"}, From: date(2026, 1, 1)}),
		{Provider: "ajax", Model: "m", Note: "ajax"},
	})
	now := date(2026, 11, 22)
	for _, tt := range []struct {
		name, want string // want is a note, "" for unknown
		provider   ProviderName
		model      ModelName
		at         time.Time
	}{
		{"exact", "family", "acme", "m", now},
		{"other provider", "ajax", "ajax", "m", now},
		{"provider without it", "", "ajax", "m-pro", now},
		{"alias", "pro", "acme", "m-best", now},
		{"alias with a short date", "pro", "acme", "m-0613", now},
		{"short dates are not cut", "", "acme", "m-0314", now},
		{"date with dashes", "family", "acme", "m-2024-08-06", now},
		{"date without", "family", "acme", "m-20240806", now},
		{"date behind @", "family", "acme", "m@20240806", now},
		{"alias with a date", "pro", "acme", "m-best-2024-08-06", now},
		{"a snapshot with its own price", "snapshot", "acme", "m-2024-05-13", now},
		{"a snapshot whose price has ended", "", "acme", "m-2023-01-01", now},
		{"the same while it held", "retired", "acme", "m-2023-01-01", date(2024, 12, 31)},
		{"family known by an alias of its snapshot", "dated only", "acme", "n-20260101", now},
		{"only one date is cut", "", "acme", "m-20240806-20240806", now},
		{"prefix", "", "acme", "m-mini", now},
		{"shorter than any", "", "acme", "", now},
		{"only a date", "", "acme", "-20240806", now},
		{"letters in the date", "", "acme", "m-2024080x", now},
		{"wrong separator", "", "acme", "m_20240806", now},
		{"case counts", "", "acme", "M", now},
		{"until is the first moment after", "before", "acme", "cut", date(2026, 7, 30).Add(-1)},
		{"from is the first moment", "after", "acme", "cut", date(2026, 7, 30)},
		{"the moment counts, not the zone", "before", "acme", "cut", time.Date(2026, 7, 30, 1, 0, 0, 0, time.FixedZone("", 2*3600))},
		{"later from wins", "sale", "acme", "sale", date(2026, 9, 1)},
		{"and ends", "always", "acme", "sale", now},
		{"a model stands before an alias", "own", "acme", "taken", now},
	} {
		got := ""
		if l := table.Lookup(tt.provider, tt.model, tt.at); l != nil {
			got = l.Note
		}
		if got != tt.want {
			t.Errorf("%s: Lookup(%s, %q, %s) found %q, want %q", tt.name, tt.provider, tt.model, tt.at.Format(time.RFC3339), got, tt.want)
		}
	}
}

func TestLookupByHour(t *testing.T) {
	weekdays := uint8(1<<time.Monday | 1<<time.Tuesday | 1<<time.Wednesday | 1<<time.Thursday | 1<<time.Friday)
	table := NewTable([]Listing{
		noted("base", Listing{Model: "m", From: date(2026, 1, 1)}),
		noted("peak", Listing{Model: "m", Windows: []Window{
			{Start: time.Hour, End: 4 * time.Hour, Weekdays: weekdays}, {Start: 20 * time.Hour, End: 24 * time.Hour, Weekdays: weekdays},
		}}),
		noted("only by day", Listing{Model: "shop", Windows: []Window{{Start: 8 * time.Hour, End: 18 * time.Hour, Weekdays: weekdays}}}),
		noted("zero window", Listing{Model: "open", Windows: []Window{{}}}),
	})
	for _, tt := range []struct {
		model ModelName
		at    string
		want  string
	}{
		{"m", "2026-11-20T00:59:59.999999999Z", "base"}, // a Friday
		{"m", "2026-11-20T01:00:00Z", "peak"},
		{"m", "2026-11-20T03:59:59.999999999Z", "peak"},
		{"m", "2026-11-20T04:00:00Z", "base"},
		{"m", "2026-11-20T23:59:59.999999999Z", "peak"},
		{"m", "2026-11-21T00:00:00Z", "base"},
		{"m", "2026-11-21T02:00:00Z", "base"},
		{"m", "2026-11-21T07:00:00+08:00", "peak"}, // still Friday in UTC
		{"m", "2026-11-23T07:00:00+08:00", "base"}, // still Sunday in UTC
		{"shop", "2026-11-20T12:00:00Z", "only by day"},
		{"shop", "2026-11-20T20:00:00Z", ""},
		{"open", "2026-11-21T02:00:00Z", "zero window"},
	} {
		at, err := time.Parse(time.RFC3339Nano, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if l := table.Lookup("acme", tt.model, at); l != nil {
			got = l.Note
		}
		if got != tt.want {
			t.Errorf("%s at %s: found %q, want %q", tt.model, tt.at, got, tt.want)
		}
	}
}

func TestNilTableKnowsNoModel(t *testing.T) {
	var table *Table
	if l, ls := table.Lookup("acme", "m", date(2026, 1, 1)), table.Listings(); l != nil || ls != nil {
		t.Errorf("found %v and %v, want nothing", l, ls)
	}
}

func TestTableKeepsItsOwnCopy(t *testing.T) {
	in := []Listing{{Provider: "acme", Model: "m", Aliases: []ModelName{"n"}, Windows: []Window{{}}}}
	table := NewTable(in)
	in[0].Note, in[0].Aliases[0], in[0].Windows[0].Weekdays = "changed", "changed", 1
	l := table.Lookup("acme", "n", date(2026, 1, 1))
	if l == nil || l.Note != "" || l.Aliases[0] != "n" {
		t.Errorf("a change to the caller's slice reached the table: %+v", l)
	}
}

func TestDayOf(t *testing.T) {
	for at, want := range map[time.Time]Day{
		date(1970, 1, 1):                        0,
		date(1970, 1, 1).Add(-1):                -1,
		date(1969, 12, 31):                      -1,
		date(1969, 12, 30).Add(time.Hour):       -2,
		date(2026, 10, 1).Add(24*time.Hour - 1): 20727,
		date(2026, 10, 2):                       20728,
		time.Date(2026, 10, 2, 7, 0, 0, 0, time.FixedZone("", 8*3600)): 20727,
	} {
		if got := DayOf(at); got != want {
			t.Errorf("DayOf(%s) = %d, want %d", at.Format(time.RFC3339Nano), got, want)
		}
	}
}

func TestAWindowIsClosedOnHolidays(t *testing.T) {
	w := Window{Start: time.Hour, End: 4 * time.Hour, Weekdays: 1<<7 - 1, Except: []Day{DayOf(date(2026, 10, 1)), DayOf(date(2026, 10, 2))}}
	for at, want := range map[time.Time]bool{
		date(2026, 9, 30).Add(2 * time.Hour): true,
		date(2026, 10, 1).Add(2 * time.Hour): false,
		date(2026, 10, 2).Add(2 * time.Hour): false,
		date(2026, 10, 3).Add(2 * time.Hour): true,
		date(2026, 10, 3):                    false,
	} {
		if got := w.contains(at); got != want {
			t.Errorf("the window contains %s: %t, want %t", at, got, want)
		}
	}
}

// shelf is a base of one provider.
type shelf map[ModelName][]*Listing

func (s shelf) Rows(p ProviderName, m ModelName) []*Listing {
	if p != "acme" {
		return nil
	}
	return s[m]
}

func (s shelf) All() iter.Seq[*Listing] {
	return func(yield func(*Listing) bool) {
		for _, name := range slices.Sorted(maps.Keys(s)) {
			for _, l := range s[name] {
				if !yield(l) {
					return
				}
			}
		}
	}
}

func TestOwnListingsStandBeforeTheBase(t *testing.T) {
	base := shelf{
		"m":            {{Provider: "acme", Model: "m", Note: "base, later", From: date(2026, 6, 1)}, {Provider: "acme", Model: "m", Note: "base"}},
		"m-2026-01-01": {{Provider: "acme", Model: "m-2026-01-01", Note: "base, snapshot"}},
		"n":            {{Provider: "acme", Model: "n", Note: "base, n"}},
	}
	table := NewTableOver([]Listing{
		noted("own", Listing{Model: "m", From: date(2026, 1, 1)}),
		noted("own, later", Listing{Model: "n", From: date(2026, 12, 1)}),
		noted("own only", Listing{Model: "o"}),
	}, base)
	for _, tt := range []struct {
		name  string
		model ModelName
		month time.Month
		want  string
	}{
		{"own, although the base's is later", "m", 7, "own"},
		{"a snapshot of the base is exact", "m-2026-01-01", 7, "base, snapshot"},
		{"another snapshot is the family", "m-2026-02-02", 7, "own"},
		{"own does not hold yet", "n", 7, "base, n"},
		{"own holds", "n", 12, "own, later"},
		{"only own", "o", 7, "own only"},
		{"neither", "p", 7, ""},
	} {
		got := ""
		if l := table.Lookup("acme", tt.model, date(2026, tt.month, 2)); l != nil {
			got = l.Note
		}
		if got != tt.want {
			t.Errorf("%s: found %q, want %q", tt.name, got, tt.want)
		}
	}
	var all []string
	for l := range table.All() {
		all = append(all, l.Note)
	}
	want := []string{"own", "own, later", "own only", "base, later", "base", "base, snapshot", "base, n"}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("All (-want +got):\n%s", diff)
	}
	for range table.All() {
		break // a loop that ends early asks for no more
	}
}
