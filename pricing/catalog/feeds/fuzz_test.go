package feeds

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog/pricefile"
	"github.com/google/go-cmp/cmp"
)

func FuzzLiteLLM(f *testing.F) {
	f.Add(model("m", `"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.4E-7, "output_cost_per_token": 7e-07, "input_cost_per_token_above_200k_tokens": 1`))
	f.Add(model("vertex_ai/claude-x", `"litellm_provider": "vertex_ai-anthropic_models", "input_cost_per_token": 0, "output_cost_per_token": 5e-06, "cache_creation_input_token_cost": 2e-9`))
	f.Add(model("a:free", `"litellm_provider": "dashscope", "tiered_pricing": [{"range": [0, 32000.0], "input_cost_per_token": 1e-06}]`))
	f.Fuzz(func(t *testing.T, text string) { sound(t, text, LiteLLM) })
}

func FuzzGenAI(f *testing.F) {
	f.Add(vendorOf("x-ai", `{"id": "m", "match": {"or": [{"equals": "n"}]}, "prices": {"input_mtok": {"base": 1, "tiers": [{"start": 5, "price": 2}]}, "output_mtok": 2.5}}`))
	f.Add(vendorOf("aws", `{"id": "m", "match": {}, "prices": [{"prices": {}}, {"constraint": {"start_date": "2026-07-30", "start_time": "16:30:00Z", "end_time": "00:30:00Z"}, "prices": {"input_mtok": 1}}]}`))
	f.Fuzz(func(t *testing.T, text string) { sound(t, text, GenAI) })
}

func FuzzCSV(f *testing.F) {
	f.Add(columns + `openai,m,2,0.2,2.5,10,1,5,1000,4,15,9000,2026-08-16T16:00Z,"a, b",page,2026-10` + "\n")
	f.Add("provider,model,input,output\nx,y:free,0,0\n")
	f.Fuzz(func(t *testing.T, text string) {
		sound(t, text, func(r io.Reader, s Source) ([]pricing.Listing, error) {
			l, err := CSV(r, s)
			return l.Listings, err
		})
	})
}

// sound checks what holds of every list that can be read: a price of 0 has a reason, and what is written out reads back.
func sound(t *testing.T, text string, read func(io.Reader, Source) ([]pricing.Listing, error)) {
	listings, err := read(strings.NewReader(text), day)
	if err != nil {
		return
	}
	for _, l := range listings {
		free := l.Price.Rates == (pricing.Rates{}) && l.Price.Fees == (pricing.Fees{})
		if free && !l.Unpriced && !freeByName(l.Model) && !strings.Contains(l.Note, "free of charge") {
			t.Errorf("%s %s is free by accident", l.Provider, l.Model)
		}
		if l.Unpriced && l.Note == "" {
			t.Errorf("%s %s has no price, and nothing says why", l.Provider, l.Model)
		}
	}
	var first, second bytes.Buffer
	if err := pricefile.Write(&first, listings); err != nil {
		t.Fatal(err)
	}
	again, err := pricefile.Parse(bytes.NewReader(first.Bytes()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, first.Bytes())
	}
	if err := pricefile.Write(&second, again.Listings); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.String(), second.String()); diff != "" {
		t.Errorf("written twice (-first +second):\n%s", diff)
	}
}
