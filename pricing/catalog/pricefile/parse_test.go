package pricefile

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/google/go-cmp/cmp"
)

// one is a file with one listing of the given members, beside those that every listing needs and the first of them is
// not.
func one(members string) string {
	text := `{"provider": "acme", "listings": [{`
	for _, m := range []string{`"model": "m"`, `"input": "2"`, `"output": "8"`, `"source": "s"`, `"as_of": "2026-11"`} {
		if key, _, _ := strings.Cut(m, ":"); !strings.HasPrefix(members, ", "+key+":") {
			text += m + ", "
		}
	}
	return strings.TrimSuffix(text, ", ") + members + `}]}`
}

func TestParseFillsInWhatIsAbsent(t *testing.T) {
	flat := pricing.Price{Rates: dollars(2, 2, 2, 2, 8)}
	for _, tt := range []struct {
		name, members string
		want          pricing.Listing
	}{
		{"nothing stated", ``, pricing.Listing{Price: flat}},
		{"a zero is stated", `, "cache_read": "0"`, pricing.Listing{Price: pricing.Price{Rates: pricing.Rates{
			Input: 2e9, CacheWriteShort: 2e9, CacheWriteLong: 2e9, Output: 8e9, InputAudio: 2e9, InputImage: 2e9, OutputAudio: 8e9, OutputImage: 8e9,
		}}}},
		{"long writes as short ones", `, "cache_write_short": "3"`, pricing.Listing{Price: pricing.Price{Rates: dollars(2, 2, 3, 3, 8)}}},
		{"sound and pictures", `, "cache_read": "1", "input_audio": "9", "output_image": "30"`, pricing.Listing{Price: pricing.Price{Rates: pricing.Rates{
			Input: 2e9, CacheRead: 1e9, CacheWriteShort: 2e9, CacheWriteLong: 2e9, Output: 8e9, InputAudio: 9e9, InputImage: 2e9,
			CacheReadAudio: 9e9, OutputAudio: 8e9, OutputImage: 30e9,
		}}}},
		{"brackets", `, "cache_read": "1", "brackets": [{"above": 100, "input": "4", "output": "9"}, {"above": 200, "input": "5", "output": "9"}]`,
			pricing.Listing{Price: pricing.Price{Rates: dollars(2, 1, 2, 2, 8), Brackets: []pricing.Bracket{
				{Above: 100, Rates: dollars(4, 4, 4, 4, 9)}, {Above: 200, Rates: dollars(5, 5, 5, 5, 9)},
			}}}},
		{"fees a piece", `, "fees": {"web_search": "0.01", "character": "0.000015"}`, pricing.Listing{Price: pricing.Price{
			Rates: flat.Rates, Fees: pricing.Fees{WebSearch: 10_000e9, Character: 15e9},
		}}},
		{"variants", `, "fees": {"image": "1"}, "variants": {"priority": {"input": "3", "output": "9"}, "batch": {"factor": "0.5"}}`, pricing.Listing{
			Price: pricing.Price{Rates: flat.Rates, Fees: pricing.Fees{Image: 1_000_000e9}},
			Variants: []pricing.Variant{
				{Service: pricing.Batch, Price: pricing.Price{Rates: dollars(1, 1, 1, 1, 4), Fees: pricing.Fees{Image: 1_000_000e9}}},
				{Service: pricing.Priority, Price: pricing.Price{Rates: dollars(3, 3, 3, 3, 9), Fees: pricing.Fees{Image: 1_000_000e9}}},
			},
		}},
		{"uplifts", `, "uplifts": {"us": "1.1", "eu": "2"}`, pricing.Listing{Price: flat, Uplifts: []pricing.Uplift{{Region: "eu", PPM: 2_000_000}, {Region: "us", PPM: 1_100_000}}}},
		{"longest answer is the context", `, "context": 5`, pricing.Listing{Price: flat, Limits: pricing.Limits{Context: 5, MaxOutput: 5}}},
		{"time", `, "from": "2026-01-01T02:00:00+02:00", "windows": [{"days": ["sun", "sat"], "start": "22:30", "end": "24:00", "except": ["1970-01-03"]}]`, pricing.Listing{
			Price: flat,
			From:  time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			Windows: []pricing.Window{{
				Start: 22*time.Hour + 30*time.Minute, End: 24 * time.Hour, Weekdays: 1<<time.Sunday | 1<<time.Saturday, Except: []pricing.Day{2},
			}},
		}},
		{"another provider", `, "provider": "ajax"`, pricing.Listing{Provider: "ajax", Price: flat}},
		{"a dispute", `, "rival": {"price": {"input": "1", "output": "8"}, "other": {"input": "2", "output": "7"}, "source": "o", "as_of": "2026-10"}`, pricing.Listing{
			Price: flat,
			Rival: &pricing.Rival{
				Price: pricing.Price{Rates: dollars(1, 1, 1, 1, 8)}, Other: pricing.Price{Rates: dollars(2, 2, 2, 2, 7)}, Source: "o", AsOf: "2026-10",
			},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse(strings.NewReader(one(tt.members)))
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Model, tt.want.Source, tt.want.AsOf = "m", "s", "2026-11"
			if tt.want.Provider == "" {
				tt.want.Provider = "acme"
			}
			if diff := cmp.Diff([]pricing.Listing{tt.want}, f.Listings); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			written(t, f.Listings)
		})
	}
}

// written checks that listings read back as they were written.
func written(t *testing.T, listings []pricing.Listing) {
	t.Helper()
	var text bytes.Buffer
	if err := Write(&text, listings); err != nil {
		t.Fatal(err)
	}
	again, err := Parse(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text.Bytes())
	}
	if diff := cmp.Diff(listings, again.Listings); diff != "" {
		t.Errorf("read back (-want +got):\n%s\nfrom\n%s", diff, text.Bytes())
	}
}

func TestCalendars(t *testing.T) {
	f, err := Parse(strings.NewReader(`{"provider": "acme", "calendars": {"c": {"days": ["1970-01-02", "1970-01-04"], "source": "s", "as_of": "2026-11"}},
		"listings": [{"model": "m", "input": "2", "output": "8", "source": "s", "as_of": "2026-11",
			"windows": [{"days": ["mon"], "start": "01:00:30", "end": "04:00", "calendar": "c", "except": ["1970-01-03", "1970-01-04"]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []pricing.Window{{Start: time.Hour + 30*time.Second, End: 4 * time.Hour, Weekdays: 1 << time.Monday, Except: []pricing.Day{1, 2, 3}}}
	if diff := cmp.Diff(want, f.Listings[0].Windows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	written(t, f.Listings)
}

func TestUnpriced(t *testing.T) {
	const text = `{"listings": [{"provider": "acme", "model": "m", "aliases": ["n"], "unpriced": true, "context": 7, "source": "s", "as_of": "2026-11", "note": "by the page"}]}`
	f, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []pricing.Listing{{
		Provider: "acme", Model: "m", Aliases: []pricing.ModelName{"n"}, Unpriced: true, Limits: pricing.Limits{Context: 7, MaxOutput: 7},
		Source: "s", AsOf: "2026-11", Note: "by the page",
	}}
	if diff := cmp.Diff(want, f.Listings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	written(t, f.Listings)
}

func dollars(input, read, short, long, output pricing.Rate) pricing.Rates {
	const d = pricing.Rate(pricing.Dollar)
	return pricing.Rates{Input: input * d, CacheRead: read * d, CacheWriteShort: short * d, CacheWriteLong: long * d, Output: output * d}.WithText()
}

func TestParseRefuses(t *testing.T) {
	const listing = `listing 1, model "m": `
	for _, tt := range []struct{ name, text, want string }{
		{"no JSON", `{`, "the file ends within the object"},
		{"unknown key", one(`, "outptu": "8"`), `unknown key "outptu"`},
		{"unknown key of a bracket", one(`, "brackets": [{"over": 8}]`), listing + "bracket above 0 tokens: input is missing; " + listing + "bracket above 0 tokens: output is missing; " + listing + `bracket above 0 tokens: want rising thresholds above 0; unknown key "over"`},
		{"trailing text", one(``) + `{}`, "something follows the object"},
		{"no provider", `{"listings": [{"model": "m", "input": "1", "output": "2", "source": "s", "as_of": "2026-11"}]}`, listing + "no provider"},
		{"no model", one(`, "model": ""`), `listing 1, model "": a name is empty`},
		{"empty alias", one(`, "aliases": [""]`), listing + "a name is empty"},
		{"no source", one(`, "source": ""`), listing + "source is missing"},
		{"bad day", one(`, "as_of": "August"`), listing + `as_of "August": want the day of reading as YYYY-MM or YYYY-MM-DD`},
		{"no output", one(`, "output": ""`), listing + `output is missing`},
		{"negative rate", one(`, "input": "-1"`), listing + `input: parse rate "-1": negative rate`},
		{"too fine a rate", one(`, "cache_read": "0.0000000001"`), listing + `cache_read: parse rate "0.0000000001": more than 9 decimals`},
		{"negative limit", one(`, "context": -1`), listing + "negative limit"},
		{"empty time", one(`, "from": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"`), listing + "until is not after from"},
		{"bracket without threshold", one(`, "brackets": [{"input": "4", "output": "9"}]`), listing + "bracket above 0 tokens: want rising thresholds above 0"},
		{"brackets that fall", one(`, "brackets": [{"above": 2, "input": "4", "output": "9"}, {"above": 2, "input": "4", "output": "9"}]`), listing + "bracket above 2 tokens: want rising thresholds above 0"},
		{"bracket without output", one(`, "brackets": [{"above": 1, "input": "4"}]`), listing + `bracket above 1 tokens: output is missing`},
		{"bracket without the write rate", one(`, "cache_write_short": "3", "brackets": [{"above": 1, "input": "4", "output": "9"}]`), listing + "bracket above 1 tokens: cache_write_short is missing"},
		{"bracket without sound", one(`, "input_audio": "3", "brackets": [{"above": 1, "input": "4", "output": "9"}]`), listing + "bracket above 1 tokens: input_audio is missing"},
		{"unknown fee", one(`, "fees": {"page": "1"}`), listing + `fees: unknown fee "page"`},
		{"bad fee", one(`, "fees": {"image": "-1"}`), listing + `fees: image "-1": not a decimal number`},
		{"too fine a fee", one(`, "fees": {"image": "1.0000000000000001"}`), listing + `fees: image "1.0000000000000001": more than 15 decimals`},
		{"unknown class of service", one(`, "variants": {"slow": {"factor": "1"}}`), listing + `variants: unknown class of service "slow": want one of [batch flex priority fast ultrafast]`},
		{"factor and rates", one(`, "variants": {"batch": {"factor": "1", "input": "1"}}`), listing + `variants: batch: want a factor or rates, not both`},
		{"variant without a price", one(`, "variants": {"batch": {}}`), listing + "variants: batch: input is missing; " + listing + "variants: batch: output is missing"},
		{"free by factor", one(`, "variants": {"batch": {"factor": "0"}}`), listing + `variants: batch: factor "0": want a decimal number above 0 of at most 6 decimals`},
		{"bad uplift", one(`, "uplifts": {"us": "10%"}`), listing + `uplifts: factor "10%": want a decimal number above 0 of at most 6 decimals`},
		{"uplift of nowhere", one(`, "uplifts": {"": "1.1"}`), listing + `uplifts: a region is empty`},
		{"unknown day", one(`, "windows": [{"days": ["Mon"], "start": "01:00", "end": "02:00"}]`), listing + `window: unknown day "Mon"`},
		{"bad time of day", one(`, "windows": [{"days": ["mon"], "start": "1", "end": "02:00"}]`), listing + `window: "1": want a time of day as HH:MM or HH:MM:SS, at most 24:00`},
		{"empty window", one(`, "windows": [{"days": ["mon"], "start": "22:00", "end": "02:00"}]`), listing + "window: 22:00-02:00 on 1 days is empty"},
		{"unknown calendar", one(`, "windows": [{"days": ["mon"], "start": "01:00", "end": "02:00", "calendar": "mars"}]`), listing + `window: unknown calendar "mars"`},
		{"falling days", one(`, "windows": [{"days": ["mon"], "start": "01:00", "end": "02:00", "except": ["2026-01-02", "2026-01-01"]}]`), listing + `window: day 2026-01-01 does not follow the one before it`},
		{"calendar without a source", `{"calendars": {"c": {"days": []}}, "listings": []}`, `calendar "c": source is missing; calendar "c": as_of is missing`},
		{"calendar of no days", `{"calendars": {"c": {"days": ["x"], "source": "s", "as_of": "2026-11"}}, "listings": []}`, `calendar "c": "x" is not a day`},
		{"unpriced with a price", one(`, "unpriced": true, "note": "n"`), listing + "unpriced, but with a price"},
		{"unpriced without a reason", `{"provider": "a", "listings": [{"model": "m", "unpriced": true, "source": "s", "as_of": "2026-11"}]}`, listing + "unpriced: want a note that says why"},
		{"rival without a source", one(`, "rival": {"price": {"input": "1", "output": "1"}, "other": {"input": "1", "output": "1"}, "as_of": "2026"}`), listing + "rival: source is missing; " + listing + `rival: as_of "2026": want the day of reading as YYYY-MM or YYYY-MM-DD`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(strings.NewReader(tt.text))
			mistakes, ok := errors.AsType[Mistakes](err)
			var got []string
			for i := range mistakes {
				got = append(got, mistakes[i].Message)
			}
			if !ok || strings.Join(got, "; ") != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	if _, err := Parse(strings.NewReader(strings.Repeat(" ", MaxSize+1))); err == nil || err.Error() != "more than 16777216 bytes" {
		t.Errorf("a file that is too long: %v", err)
	}
}

func TestReadDir(t *testing.T) {
	files, err := ReadDir(fstest.MapFS{
		"ajax.json": {Data: []byte(`{"provider": "ajax", "hosts": ["api.ajax.example"], "listings": []}`)}, "acme.json": {Data: []byte(one(``))}, "NOTICE": {},
	})
	if err != nil || len(files) != 2 || files[0].Provider != "acme" || files[1].Hosts[0] != "api.ajax.example" {
		t.Errorf("ReadDir = %+v, %v, want the files of acme and ajax", files, err)
	}
	for text, want := range map[string]string{
		`[]`:                  "read acme.json: 1:1: want an object: {...}",
		`{"provider":"ajax"}`: `read acme.json: provider "ajax" in the file of "acme"`,
	} {
		if _, err := ReadDir(fstest.MapFS{"acme.json": {Data: []byte(text)}}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(one(``))
	f.Add(one(`, "cache_read": "0", "brackets": [{"above": 100, "input": "4", "output": "9"}], "fees": {"image": "1"}`))
	f.Add(one(`, "variants": {"batch": {"factor": "0.5"}}, "uplifts": {"*": "1.1"}, "windows": [{"days": ["mon"], "start": "01:00", "end": "02:00"}]`))
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(strings.NewReader(text))
		if err == nil {
			written(t, file.Listings)
		}
	})
}
