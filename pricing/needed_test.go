package pricing

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNeeded(t *testing.T) {
	table := NewTable([]Listing{
		{Provider: "openai", Model: "gpt-4o", Aliases: []ModelName{"gpt-4o-latest"}, Note: "family"},
		{Provider: "openai", Model: "gpt-4o", Until: date(2025, 1, 1), Note: "family, before"},
		{Provider: "openai", Model: "gpt-4o-2024-05-13", Note: "snapshot"},
		{Provider: "openai", Model: "gpt-4o-mini", Note: "mini"},
		{Provider: "azure_openai", Model: "gpt-4", Note: "azure"},
		{Provider: "groq", Model: "gpt-4o", Note: "groq"},
	})
	for _, tt := range []struct {
		name   string
		models []Model
		want   []string
	}{
		{"nothing", nil, nil},
		{"a family with its history and snapshots", []Model{{"openai", "gpt-4o"}}, []string{"family", "family, before", "snapshot"}},
		{"an alias", []Model{{"openai", "gpt-4o-latest"}}, []string{"family"}},
		{"a snapshot without a price of its own", []Model{{"openai", "gpt-4o-mini-2024-07-18"}}, []string{"mini"}},
		{"a reseller", []Model{{"azure_openai", "gpt-4o-mini"}, {"azure_openai", "gpt-4"}}, []string{"mini", "azure"}},
		{"unknown", []Model{{"openai", "gpt-4"}}, nil},
	} {
		var got []string
		for _, l := range table.Needed(tt.models) {
			got = append(got, l.Note)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A table of what is needed finds what the layers of tables find, at any moment.
func TestNeededKeepsWhatLayersHide(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for round := range 300 {
		base := NewTable(nil)
		note := 0
		for range 3 {
			var layer []Listing
			for range r.IntN(4) {
				note++
				layer = append(layer, randomTimes(r, noted(strconv.Itoa(note), Listing{Model: ModelName(rune('a' + r.IntN(3)))})))
			}
			base = NewTableOver(layer, base)
		}
		models := []Model{{"acme", "a"}, {"acme", "b"}}
		small := NewTable(base.Needed(models))
		for _, m := range models {
			for day := range 40 {
				at := date(2026, 1, 1+day)
				want, got := base.Lookup("acme", m.Name, at), small.Lookup("acme", m.Name, at)
				if (want == nil) != (got == nil) || (want != nil && want.Note != got.Note) {
					t.Fatalf("round %d: %s on %s: found %+v, want %+v", round, m.Name, at, got, want)
				}
			}
		}
	}
}

// randomTimes limits a listing to a stretch of January, open at either end now and then.
func randomTimes(r *rand.Rand, l Listing) Listing {
	if r.IntN(3) > 0 {
		l.From = date(2026, 1, 1+r.IntN(30))
	}
	if r.IntN(3) > 0 {
		l.Until = l.From.AddDate(0, 0, 1+r.IntN(20))
		if l.From.IsZero() {
			l.Until = date(2026, 1, 2+r.IntN(30))
		}
	}
	return l
}

func TestNeededOfAnOverlayOverHours(t *testing.T) {
	hours := []Window{{Start: 0, End: 24 * time.Hour, Weekdays: 127}}
	base := NewTable([]Listing{noted("base", Listing{Model: "m", Aliases: []ModelName{"n"}}), noted("peak", Listing{Model: "m", Aliases: []ModelName{"n"}, Windows: hours})})
	small := NewTable(NewTableOver([]Listing{noted("ours", Listing{Model: "m"})}, base).Needed([]Model{{"acme", "m"}, {"acme", "n"}}))
	for model, want := range map[ModelName]string{"m": "ours", "n": "peak"} {
		if got := small.Lookup("acme", model, date(2026, 1, 1)); got == nil || got.Note != want {
			t.Errorf("%s: found %+v, want %q", model, got, want)
		}
	}
}
