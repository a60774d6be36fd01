package exchange

import (
	"strings"
	"testing"
)

func TestARefusalNamesWhatIsMissing(t *testing.T) {
	const start = `{"messages":[{"role":"user","content":"hi"}],"model":`
	const rest = limited + "unknown_model: {charge: $30 per 1M}\n"
	for _, tt := range []struct {
		name, path, body, says, unwanted string
	}{
		{"a model that nobody lists", "/v1/chat/completions", start + `"unheard-of"}`,
			`no price and no limits are known of model "unheard-of"; set an output cap, or ask the platform team for a price file with both`, "max_output"},
		{"pictures", "/v1/images/generations", `{"model":"gpt-image-2","prompt":"a cat"}`,
			`no limit of the output of model "gpt-image-2" is known, and this API has no output cap; ask the platform team`, "set an output cap"},
		{"a choice of models", "/v1/chat/completions", start + `"gpt-4o","max_completion_tokens":9,"models":["gpt-5"]}`, "name one, without fallbacks", "cap"},
		{"an unlisted class", "/v1/chat/completions", start + `"gpt-4o","max_completion_tokens":9,"service_tier":"scale"}`, "class of service", "cap"},
		{"answers without end", "/v1/chat/completions", start + `"gpt-4o","n":1000000000,"max_completion_tokens":500000000000}`, "ask for fewer or shorter answers", "class of service"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, rest)
			_, reply := w.send(t, call{path: tt.path, body: tt.body, headers: []Header{{"content-type", "application/json"}}})
			a := reply.Answer
			if a == nil || a.Details != "farebox_unpriced" {
				t.Fatalf("got %+v, want a refusal", reply)
			}
			if text := strings.ReplaceAll(string(a.Body), `\"`, `"`); !strings.Contains(text, tt.says) || strings.Contains(text, tt.unwanted) {
				t.Errorf("want %q, not %q, in %s", tt.says, tt.unwanted, text)
			}
		})
	}
}
