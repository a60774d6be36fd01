package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// ours is what the catalogue has in the tests of changes.
const ours = `"model": "m", "input": "1", "output": "2", "source": "s", "as_of": "2026-11",
	"brackets": [{"above": 100, "input": "2", "output": "4"}], "fees": {"web_search": "0.01"},
	"variants": {"batch": {"input": "0.5", "output": "1", "brackets": [{"above": 100, "input": "1", "output": "2"}]}},
	"uplifts": {"us": "1.1"}, "windows": [{"days": ["mon"], "start": "08:00", "end": "09:01:01"}], "context": 1000`

func TestEveryDifferenceOfPriceIsALine(t *testing.T) {
	for _, tt := range []struct{ name, from, to, want string }{
		{"nothing", "", "", ""},
		{"limits", `"context": 1000`, `"context": 2000`, ""},
		{"a fee that is not stated", `"fees": {"web_search": "0.01"},`, "", ""},
		{"a rate", `"output": "2", "source"`, `"output": "3", "source"`, "output 2 -> 3"},
		{"a bracket", `"input": "2"`, `"input": "3"`, "above 100 tokens: input 2 -> 3|above 100 tokens: cache read 2 -> 3|above 100 tokens: cache write short 2 -> 3|above 100 tokens: cache write long 2 -> 3"},
		{"a fee", `"0.01"`, `"0.012"`, "web search 0.01 -> 0.012 each"},
		{"a variant's bracket", `"input": "1", "output": "2"}]}}`, `"input": "1", "output": "7"}]}}`, "batch, above 100 tokens: output 2 -> 7"},
		{"a bracket of sound", `"output": "4"}]`, `"output": "4", "output_audio": "9"}]`, "above 100 tokens: output audio 4 -> 9"},
		{"another variant", `"batch"`, `"flex"`, "batch: only in the catalogue, input 0.5, output 1|flex: only in the file, input 0.5, output 1"},
		{"a factor", `"1.1"`, `"1.2"`, "region us: x1.1 -> x1.2"},
		{"another region", `"us"`, `"*"`, "region us: only in the catalogue, x1.1|region any but global: only in the file, x1.1"},
		{"hours", "09:01:01", "09:01", "hours: mon 08:00-09:01:01 UTC -> mon 08:00-09:01 UTC"},
		{"other holidays", `"09:01:01"`, `"09:01:01", "except": ["2026-12-24"]`, "hours: mon 08:00-09:01:01 UTC -> mon 08:00-09:01:01 UTC but on 1 holiday"},
		{"no hours", `"windows": [{"days": ["mon"], "start": "08:00", "end": "09:01:01"}], `, "", "hours: mon 08:00-09:01:01 UTC -> always"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			theirs := strings.Replace(ours, tt.from, tt.to, 1)
			got := strings.Join(priceChanges(listing(t, ours), listing(t, theirs)), "|")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// listing reads a listing in the JSON of price files.
func listing(t *testing.T, text string) *pricing.Listing {
	t.Helper()
	listings, err := catalog.LoadOverlay(strings.NewReader(`{"provider": "acme", "listings": [{` + text + `}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return &listings[0]
}

func TestHoursAreShownToTheSecond(t *testing.T) {
	got := hours([]pricing.Window{{}, {Weekdays: 2, Start: time.Hour, End: time.Hour + time.Minute + time.Second}})
	if want := "always; mon 01:00-01:01:01 UTC"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
