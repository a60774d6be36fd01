package envoy

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing/provider"
)

// A client must not have to know whether Envoy or farebox refused its call.
func TestErrorsAreCalledWhatFareboxCallsThem(t *testing.T) {
	for _, tt := range []struct {
		when string
		kind provider.ErrorKind
	}{
		{`response.code == 413`, provider.TooLarge},
		{`response.code == 403`, provider.ModelRefused},
		{`response.code == 503 && xds.cluster_name == "farebox_unrouted"`, provider.Unavailable},
		{`response.code >= 500`, provider.Unavailable},
		{`response.code >= 400`, provider.BadRequest},
	} {
		t.Run(tt.when, func(t *testing.T) {
			f := faultOf(t, tt.when)
			want := []string{named(t, provider.OpenAIChat, tt.kind).Type, named(t, provider.AnthropicMessages, tt.kind).Type, named(t, provider.GeminiGenerate, tt.kind).Status}
			if diff := cmp.Diff(want, []string{f.kind, f.anthropic, f.google}); diff != "" {
				t.Errorf("OpenAI's type, Anthropic's type, Google's status (-want +got):\n%s", diff)
			}
		})
	}
}

func faultOf(t *testing.T, when string) fault {
	t.Helper()
	for _, f := range faults {
		if f.when == when {
			return f
		}
	}
	t.Fatalf("no fault when %s", when)
	return fault{}
}

// name is what an error is called in its body.
type name struct{ Type, Status string }

func named(t *testing.T, api provider.API, kind provider.ErrorKind) name {
	t.Helper()
	text := provider.Refuse(api, api.Vendor(), provider.Fault{Kind: kind}).Body
	var body struct{ Error name }
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("body %s: %v", text, err)
	}
	return body.Error
}
