package catalog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/google/go-cmp/cmp"
)

const ours = `{"provider": "openai", "listings": [
  {"model": "gpt-5.6-terra", "input": "1", "output": "2", "source": "contract", "as_of": "2026-11"},
  {"model": "house", "input": "3", "output": "4", "source": "contract", "as_of": "2026-11"}
]}`

func TestOverlaysStandBeforeTheCatalogue(t *testing.T) {
	first, err := LoadOverlay(strings.NewReader(ours))
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadOverlay(strings.NewReader(strings.ReplaceAll(ours, `"input": "3"`, `"input": "9"`)))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		table *pricing.Table
		model pricing.ModelName
		want  string
	}{
		{"none", With(), "gpt-5.6-terra", "2"},
		{"none", With(), "house", ""},
		{"one, although the catalogue's listing is later", With(first), "gpt-5.6-terra", "1"},
		{"one, and a snapshot", With(first), "gpt-5.6-terra-2026-07-09", "1"},
		{"one, and another model", With(first), "gpt-5.6-luna", "0.2"},
		{"two", With(first, second), "house", "9"},
		{"two, the other way round", With(second, first), "house", "3"},
	} {
		got := ""
		if l := tt.table.Lookup("openai", tt.model, at); l != nil {
			got = l.Price.Input.String()
		}
		if got != tt.want {
			t.Errorf("%s: input of %s at %q, want %q", tt.name, tt.model, got, tt.want)
		}
	}
	if got, want := len(With(first).Listings()), len(Listings())+2; got != want {
		t.Errorf("%d listings, want %d", got, want)
	}
}

func TestListingsHaveTheOverlayThatTheyAreFrom(t *testing.T) {
	row := pricing.Listing{Provider: "acme", Model: "m"}
	older := row
	older.Model = "older"
	table, origins := WithOrigins([]pricing.Listing{row, older}, nil, []pricing.Listing{row})
	var got []string
	for l := range table.All() {
		if i, ok := origins[l]; ok {
			got = append(got, fmt.Sprintf("%s of %d", l.Model, i))
		}
	}
	if want := []string{"m of 2", "m of 0", "older of 0"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if i := origins[table.Lookup("acme", "m", time.Time{})]; i != 2 {
		t.Errorf("the price in force is from overlay %d, want 2", i)
	}
}

func TestOverlayHasNoHosts(t *testing.T) {
	_, err := LoadOverlay(strings.NewReader(`{"provider": "acme", "hosts": ["api.acme.example"], "listings": []}`))
	if want := "1:31: hosts belong to the providers of a policy: an overlay has prices alone"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// What the catalogue has can be written as an overlay and read back, all of it.
func TestTheCatalogueReadsBackAsAnOverlay(t *testing.T) {
	var text bytes.Buffer
	if err := WriteOverlay(&text, Listings()); err != nil {
		t.Fatal(err)
	}
	again, err := LoadOverlay(&text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Listings(), again); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNeededIsWhatLookupsFind(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	models := []pricing.Model{
		{Provider: "openai", Name: "gpt-4o"}, {Provider: "azure_openai", Name: "gpt-6-sol"}, {Provider: "deepseek", Name: "deepseek-chat"},
		{Provider: "aws_bedrock", Name: "us.anthropic.claude-opus-4-5-20251101-v1:0"}, {Provider: "google", Name: "claude-opus-5@default"},
	}
	listings := Needed(models...)
	if len(listings) > 40 {
		t.Errorf("%d listings for %d models", len(listings), len(models))
	}
	small := pricing.NewTable(listings)
	models = append(models, pricing.Model{Provider: "openai", Name: "gpt-4o-2024-05-13"}, pricing.Model{Provider: "openai", Name: "gpt-4o-2024-08-06"})
	for _, m := range models {
		for _, moment := range []time.Time{at, at.AddDate(-1, 0, 0), at.Add(14 * time.Hour)} {
			want, got := Table().Lookup(m.Provider, m.Name, moment), small.Lookup(m.Provider, m.Name, moment)
			if cmp.Diff(want, got) != "" || (want == nil && moment.Equal(at)) {
				t.Errorf("%+v at %s (-whole +needed):\n%s", m, moment, cmp.Diff(want, got))
			}
		}
	}
}

// The layers of the catalogue do not overlap: one table of all listings finds what the catalogue does, for every name.
func TestNeededOfEveryModel(t *testing.T) {
	var models []pricing.Model
	for _, l := range Listings() {
		for _, name := range append([]pricing.ModelName{l.Model}, l.Aliases...) {
			models = append(models, pricing.Model{Provider: l.Provider, Name: name})
		}
	}
	flat := pricing.NewTable(Needed(models...))
	for _, at := range []time.Time{
		time.Date(2025, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 8, 16, 15, 0, 0, 0, time.UTC), time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC),
		time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC),
	} {
		for _, m := range models {
			want, got := Table().Lookup(m.Provider, m.Name, at), flat.Lookup(m.Provider, m.Name, at)
			if (want == nil) != (got == nil) || (want != nil && !cmp.Equal(want.Price, got.Price)) {
				t.Errorf("%+v at %s: %+v, want %+v", m, at, got, want)
			}
		}
	}
}
