package feeds

import (
	"strings"
	"testing"
)

func TestReadKnowsAListByItsLooks(t *testing.T) {
	for _, tt := range []struct {
		format Format
		text   string
	}{
		{FormatLiteLLM, model("m", `"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06`)},
		{FormatGenAI, "\n" + vendorOf("acme", oneOf("m", 1, 1, ``))},
		{FormatCSV, "provider,model,input,output\nacme,m,1,1\n"},
		{FormatOverlay, ` {"provider": "acme", "listings": [{"model": "m", "input": "1", "output": "1", "source": "s", "as_of": "2026-11"}]}`},
	} {
		for _, format := range []Format{"", tt.format} {
			list, err := Read(strings.NewReader(tt.text), format, day)
			got := list.Listings
			if err != nil || len(got) != 1 || got[0].Provider != "acme" || got[0].Model != "m" || got[0].Price.Output != 1e9 {
				t.Errorf("%s, read as %q: %+v, %v", tt.format, format, got, err)
			}
		}
	}
	if _, err := Read(strings.NewReader(""), "xml", day); err == nil || err.Error() != `unknown format "xml": want one of [litellm genai csv overlay]` {
		t.Errorf("an unknown format: %v", err)
	}
	if _, err := Read(strings.NewReader(strings.Repeat(" ", maxSize+1)), "", day); err == nil || err.Error() != "more than 16777216 bytes" {
		t.Errorf("a list that is too long: %v", err)
	}
}
