package policies

import (
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// TestResumeBillsWhatLeftEarlier bills answers of calls that left earlier as they would have been billed at once.
func TestResumeBillsWhatLeftEarlier(t *testing.T) {
	s := mustCompile(t, testPolicy())
	u := pricing.Usage{Input: 1000, Output: 100}
	for _, tt := range []struct {
		name string
		sent Sent
		kind OptionKind
	}{
		{"as asked", Sent{Route: "openai", Vendor: "openai", Asked: "gpt-6-sol", Model: "gpt-6-sol"}, Asked},
		{"by another model", Sent{Route: "openai", Vendor: "openai", Asked: "gpt-6-sol", Model: "gpt-6-luna"}, Tiered},
		{"by an own pool", Sent{Route: "gpu", Asked: "gpt-6-sol", Model: "llama"}, Pooled},
		{"by a model without a price", Sent{Route: "openai", Vendor: "openai", Asked: "unheard-of", Model: "unheard-of"}, Asked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.sent.At = testNow
			d := s.Resume(tt.sent)
			o := d.First()
			if o.Kind != tt.kind || o.Route != tt.sent.Route || o.Model != tt.sent.Model {
				t.Fatalf("served by %+v, want %s", o, tt.kind)
			}
			b, err := d.Bill(o, u, s.Charged(o, &provider.Reading{Model: tt.sent.Model, Usage: u, HasUsage: true}, testNow))
			if err != nil {
				t.Fatal(err)
			}
			cost, err := o.Cost(u)
			if err != nil {
				t.Fatal(err)
			}
			if b.Cost != cost || b.Cost == 0 || b.Savings.Total() != b.Baseline-b.Cost {
				t.Errorf("bill %+v, want a cost of %s that is not zero and savings that add up", b, cost)
			}
		})
	}
}
