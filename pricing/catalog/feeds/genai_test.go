package feeds

import (
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/google/go-cmp/cmp"
)

// vendorOf is a list of genai-prices with one model.
func vendorOf(id, model string) string { return `[{"id": "` + id + `", "models": [` + model + `]}]` }

func TestGenAI(t *testing.T) {
	july := time.Date(2026, 7, 30, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, text string
		want       []pricing.Listing
	}{
		{"names that must be equal", vendorOf("x-ai", `{"id": "grok", "match": {"or": [{"equals": "grok"}, {"equals": "grok-1"}, {"starts_with": "grok-"}]}, "context_window": 9, "prices": {"input_mtok": 2, "output_mtok": 2.5}}`),
			[]pricing.Listing{{Provider: "xai", Model: "grok", Aliases: []pricing.ModelName{"grok-1"}, Price: text(2e9, 2e9, 2e9, 2e9, 25e8), Limits: pricing.Limits{Context: 9, MaxOutput: 9}}}},
		{"history", vendorOf("openai", `{"id": "m", "match": {"equals": "m"}, "prices": [{"prices": {"input_mtok": 2, "output_mtok": 2}}, {"constraint": {"start_date": "2026-07-30"}, "prices": {"input_mtok": 1, "output_mtok": 1}}]}`),
			[]pricing.Listing{{Provider: "openai", Model: "m", Price: text(2e9, 2e9, 2e9, 2e9, 2e9), Until: july}, {Provider: "openai", Model: "m", Price: text(1e9, 1e9, 1e9, 1e9, 1e9), From: july}}},
		{"hours over midnight", vendorOf("openai", `{"id": "m", "match": {}, "prices": [{"prices": {"input_mtok": 2, "output_mtok": 2}}, {"constraint": {"start_time": "16:30:00Z", "end_time": "00:30:00Z"}, "prices": {"input_mtok": 1, "output_mtok": 1}}]}`),
			[]pricing.Listing{{Provider: "openai", Model: "m", Price: text(2e9, 2e9, 2e9, 2e9, 2e9)}, {Provider: "openai", Model: "m", Price: text(1e9, 1e9, 1e9, 1e9, 1e9), Windows: []pricing.Window{
				{Start: 16*time.Hour + 30*time.Minute, End: 24 * time.Hour, Weekdays: 127}, {End: 30 * time.Minute, Weekdays: 127},
			}}}},
		{"tiers and fees", vendorOf("openai", `{"id": "m", "match": {}, "prices": {"input_mtok": {"base": 1, "tiers": [{"start": 200000, "price": 2}]}, "output_mtok": 3, "web_searches_kcount": 10, "requests_kcount": 5}}`),
			[]pricing.Listing{{Provider: "openai", Model: "m", Price: pricing.Price{
				Rates: text(1e9, 1e9, 1e9, 1e9, 3e9).Rates, Brackets: []pricing.Bracket{{Above: 200_000, Rates: text(2e9, 2e9, 2e9, 2e9, 3e9).Rates}},
				Fees: pricing.Fees{WebSearch: 10_000e9, Request: 5000e9},
			}}}},
		{"the dearer of two prices of the answer", vendorOf("openai", `{"id": "m", "match": {}, "prices": {"input_mtok": 1, "output_mtok": 2, "output_reasoning_mtok": 3, "output_video_mtok": 9}}`),
			[]pricing.Listing{{Provider: "openai", Model: "m", Price: text(1e9, 1e9, 1e9, 1e9, 3e9), Note: "output video has a price of its own: not counted"}}},
		{"free by its name", vendorOf("openrouter", `{"id": "a/b:free", "match": {}, "prices": {}}`), []pricing.Listing{{Provider: "openrouter", Model: "a/b:free", Note: freeName}}},
		{"no price", vendorOf("openai", `{"id": "m", "match": {}, "prices": {}}`), []pricing.Listing{{Provider: "openai", Model: "m", Unpriced: true, Note: noPrice}}},
		{"input at 0", vendorOf("openai", `{"id": "m", "match": {}, "prices": {"input_mtok": 0, "output_mtok": 1}}`), []pricing.Listing{{Provider: "openai", Model: "m", Unpriced: true, Note: noInput}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := GenAI(strings.NewReader(tt.text), day)
			if err != nil {
				t.Fatal(err)
			}
			for i := range tt.want {
				tt.want[i].Source, tt.want[i].AsOf = "list@2026-08-01", "2026-08-01"
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestGenAIRefuses(t *testing.T) {
	const head = `provider "p": model "m": `
	for _, tt := range []struct{ name, text, want string }{
		{"trailing text", `[] []`, "something follows the array"},
		{"no id", `[{}]`, "provider 1: no id"},
		{"no name", vendorOf("p", `{}`), `provider "p": model "": name "": want 1 to 300 bytes of text`},
		{"no prices", vendorOf("p", `{"id": "m", "prices": 5}`), head + "prices: want an object or an array"},
		{"rate", vendorOf("p", `{"id": "m", "prices": {"input_mtok": -1}}`), head + `prices 1: input_mtok: rate "-1": negative`},
		{"implausible", vendorOf("p", `{"id": "m", "prices": {"input_mtok": 5000}}`), head + `prices 1: input_mtok: rate 5000: more than any vendor asks: the unit is wrong`},
		{"tier", vendorOf("p", `{"id": "m", "prices": {"input_mtok": {"base": 1, "tiers": [{"start": 0, "price": 1}]}}}`), head + `prices 1: input_mtok: tier from 0 tokens: want a number above 0`},
		{"text", vendorOf("p", `{"id": "m", "prices": {"input_mtok": true}}`), head + `prices 1: input_mtok: want a number or a base with tiers`},
		{"day", vendorOf("p", `{"id": "m", "prices": [{"constraint": {"start_date": "soon"}, "prices": {}}]}`), head + `prices 1: start_date: "soon" is not a day`},
		{"hour", vendorOf("p", `{"id": "m", "prices": [{"constraint": {"start_time": "1"}, "prices": {}}]}`), head + `prices 1: "1" is not a time of day in UTC`},
	} {
		if _, err := GenAI(strings.NewReader(tt.text), day); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}
