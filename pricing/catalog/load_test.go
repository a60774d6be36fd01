package catalog

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/google/go-cmp/cmp"
)

// one is a file with one listing of the given members, beside those that every listing needs.
func one(members string) string {
	return `{"provider": "acme", "listings": [{"model": "m", "input": "2", "output": "8", "source": "s", "as_of": "2026-11"` + members + `}]}`
}

func TestLoadFillsInWhatIsAbsent(t *testing.T) {
	for _, tt := range []struct {
		name, members string
		want          pricing.Listing
	}{
		{"nothing stated", ``, pricing.Listing{Price: pricing.Price{Rates: dollars(2, 2, 2, 2, 8)}}},
		{"a zero is stated", `, "cache_read": "0"`, pricing.Listing{Price: pricing.Price{Rates: dollars(2, 0, 2, 2, 8)}}},
		{"long writes as short ones", `, "cache_write_short": "3"`, pricing.Listing{Price: pricing.Price{Rates: dollars(2, 2, 3, 3, 8)}}},
		{"long tier", `, "cache_read": "1", "long": {"above": 100, "input": "4", "output": "9"}`, pricing.Listing{Price: pricing.Price{
			Rates: dollars(2, 1, 2, 2, 8), Brackets: []pricing.Bracket{{Above: 100, Rates: dollars(4, 4, 4, 4, 9)}},
		}}},
		{"longest answer is the context", `, "context": 5`, pricing.Listing{
			Price: pricing.Price{Rates: dollars(2, 2, 2, 2, 8)}, Limits: pricing.Limits{Context: 5, MaxOutput: 5},
		}},
		{"time", `, "from": "2026-01-01T02:00:00+02:00", "windows": [{"days": ["sun", "sat"], "start": "22:30", "end": "24:00"}]`, pricing.Listing{
			Price:   pricing.Price{Rates: dollars(2, 2, 2, 2, 8)},
			From:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			Windows: []pricing.Window{{Start: 22*time.Hour + 30*time.Minute, End: 24 * time.Hour, Weekdays: 1<<time.Sunday | 1<<time.Saturday}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := load(fstest.MapFS{"acme.json": {Data: []byte(one(tt.members))}})
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Provider, tt.want.Model, tt.want.Source, tt.want.AsOf = "acme", "m", "s", "2026-11"
			if diff := cmp.Diff([]pricing.Listing{tt.want}, c.table.Listings()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func dollars(input, read, short, long, output pricing.Rate) pricing.Rates {
	const d = pricing.Rate(pricing.Dollar)
	return pricing.Rates{Input: input * d, CacheRead: read * d, CacheWriteShort: short * d, CacheWriteLong: long * d, Output: output * d}.WithText()
}

func TestLoadRefuses(t *testing.T) {
	const listing = `read acme.json: listing 1, model "m": `
	for _, tt := range []struct{ name, text, want string }{
		{"no JSON", `{`, "read acme.json: unexpected EOF"},
		{"unknown key", one(`, "outptu": "8"`), `read acme.json: json: unknown field "outptu"`},
		{"trailing text", one(``) + `{}`, "read acme.json: something follows the object"},
		{"other provider", `{"provider": "ajax"}`, `read acme.json: provider "ajax" in the file of "acme"`},
		{"bad host", `{"provider": "acme", "hosts": ["A"]}`, `read acme.json: host "A": want a name in lower case without a port`},
		{"no model", one(`, "model": ""`), `read acme.json: listing 1, model "": a name is empty`},
		{"empty alias", one(`, "aliases": [""]`), listing + "a name is empty"},
		{"no source", one(`, "source": ""`), listing + "want a source and the day of reading as YYYY-MM or YYYY-MM-DD"},
		{"bad day", one(`, "as_of": "August"`), listing + "want a source and the day of reading as YYYY-MM or YYYY-MM-DD"},
		{"no output", one(`, "output": ""`), listing + `output: parse rate "": not a decimal number`},
		{"negative rate", one(`, "input": "-1"`), listing + `input: parse rate "-1": negative rate`},
		{"too fine a rate", one(`, "cache_read": "0.0000000001"`), listing + `cache_read: parse rate "0.0000000001": more than 9 decimals`},
		{"negative limit", one(`, "context": -1`), listing + "negative limit"},
		{"empty time", one(`, "from": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"`), listing + "until is not after from"},
		{"long tier without threshold", one(`, "long": {"input": "4", "output": "9"}`), listing + "long tier above 0 tokens"},
		{"long tier without output", one(`, "long": {"above": 1, "input": "4"}`), listing + `long tier: output: parse rate "": not a decimal number`},
		{"long tier without the write rate", one(`, "cache_write_short": "3", "long": {"above": 1, "input": "4", "output": "9"}`), listing + "long tier lacks a cache write rate"},
		{"unknown day", one(`, "windows": [{"days": ["Mon"], "start": "01:00", "end": "02:00"}]`), listing + `window: unknown day "Mon"`},
		{"bad time of day", one(`, "windows": [{"days": ["mon"], "start": "1", "end": "02:00"}]`), listing + `window: "1" is not a time of day`},
		{"empty window", one(`, "windows": [{"days": ["mon"], "start": "22:00", "end": "02:00"}]`), listing + "window 22:00-02:00 on 1 days is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(fstest.MapFS{"acme.json": {Data: []byte(tt.text)}})
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestBadEmbeddedFileIsAnInternalError(t *testing.T) {
	defer func() {
		got, _ := recover().(string)
		if want := "internal error: embedded prices: read acme.json: "; !strings.HasPrefix(got, want) {
			t.Errorf("panic %q, want %q and the cause", got, want)
		}
	}()
	mustLoad(fstest.MapFS{"acme.json": {Data: []byte(`[]`)}})
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustLoad(files)
	}
}
