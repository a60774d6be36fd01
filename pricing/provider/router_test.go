package provider_test

import (
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

func TestCallsThatChooseARoutersHost(t *testing.T) {
	const routerPath, vercel = "/api/v1/chat/completions", "vercel_ai_gateway"
	for _, tt := range []struct {
		name   string
		vendor pricing.ProviderName
		path   string
		body   string // members beside the model
		want   bool
	}{
		{"nothing", provider.OpenRouter, routerPath, `"n":1`, false},
		{"an order", provider.OpenRouter, routerPath, `"provider":{"order":["together"]}`, true},
		{"only some", provider.OpenRouter, routerPath, `"provider":{"only":["together"]}`, true},
		{"all but the cheap", provider.OpenRouter, routerPath, `"provider":{"ignore":["deepinfra"]}`, true},
		{"the fastest", provider.OpenRouter, routerPath, `"provider":{"sort":"throughput"}`, true},
		{"the cheapest", provider.OpenRouter, routerPath, `"provider":{"sort":"price","allow_fallbacks":false}`, false},
		{"the cheapest by an object", provider.OpenRouter, routerPath, `"provider":{"sort":{"by":"price"}}`, true},
		{"the cheapest, then the fastest", provider.OpenRouter, routerPath, `"provider":{"sort":"price","sort":"throughput"}`, true},
		{"the fastest, escaped", provider.OpenRouter, routerPath, `"provider":{"s\u006frt":"price"}`, true},
		{"the cheapest, escaped", provider.OpenRouter, routerPath, `"provider":{"sort":"pric\u0065"}`, false},
		{"a speed", provider.OpenRouter, routerPath, `"provider":{"preferred_min_throughput":{"p90":50}}`, true},
		{"a most for the prompt", provider.OpenRouter, routerPath, `"provider":{"max_price":{"prompt":1}}`, true},
		{"precision", provider.OpenRouter, routerPath, `"provider":{"quantizations":["fp8"]}`, true},
		{"privacy", provider.OpenRouter, routerPath, `"provider":{"zdr":true}`, true},
		{"what holds anyway", provider.OpenRouter, routerPath, `"provider":{"zdr":false,"order":null,"require_parameters":false,"allow_fallbacks":true}`, false},
		{"no preference", provider.OpenRouter, routerPath, `"provider":null`, false},
		{"an empty one", provider.OpenRouter, routerPath, `"provider":{}`, false},
		{"a name", provider.OpenRouter, routerPath, `"provider":"together"`, true},
		{"a list", provider.OpenRouter, routerPath, `"provider":["together"]`, true},
		{"a preference deep in a message", provider.OpenRouter, routerPath, `"messages":[{"role":"user","content":"x","provider":{"order":["a"]}}]`, false},
		{"embeddings", provider.OpenRouter, "/api/v1/embeddings", `"input":"x","provider":{"order":["a"]}`, true},
		{"a picture", provider.OpenRouter, "/api/v1/images/generations", `"prompt":"x","provider":{"order":["a"]}`, true},
		{"speech", provider.OpenRouter, "/api/v1/audio/speech", `"input":"x","provider":{"order":["a"]}`, true},
		{"a ranking", provider.OpenRouter, "/api/v1/rerank", `"query":"x","documents":[],"provider":{"order":["a"]}`, true},
		{"the same of no router", "groq", chatPath, `"provider":{"order":["together"]},"providerOptions":{"gateway":{}}`, false},
		{"the same of a pool", "", chatPath, `"provider":{"order":["together"]}`, false},

		{"Vercel's order", provider.Vercel, chatPath, `"providerOptions":{"gateway":{"order":["bedrock"]}}`, true},
		{"Vercel's order by its listed name", vercel, chatPath, `"providerOptions":{"gateway":{"only":["bedrock"]}}`, true},
		{"Vercel's none", vercel, chatPath, `"providerOptions":null`, false},

		{"Hugging Face's usual", "huggingface", chatPath, `"n":1`, false},
		{"Hugging Face's usual, listed", "huggingface_together", "/hf" + chatPath, `"n":1`, false},
		{"Hugging Face's host", "huggingface", "/together/v1/chat/completions", `"n":1`, true},
		{"Hugging Face's host behind a prefix", "huggingface", "/hf/together/v1/chat/completions", `"n":1`, true},
		{"Hugging Face's listed host", "huggingface_together", "/together/v1/chat/completions", `"n":1`, false},
		{"Hugging Face's other host", "huggingface_together", "/nov%69ta/v1/chat/completions", `"n":1`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, tt.path, `{"model":"m",`+tt.body+`}`)
			if got := r.ChoosesHost(tt.vendor, "/hf"); got != tt.want {
				t.Errorf("%s of %q with %s: %v, want %v", tt.path, tt.vendor, tt.body, got, tt.want)
			}
		})
	}
}

func TestFormsThatChooseARoutersHost(t *testing.T) {
	for field, want := range map[string]bool{"provider": true, "Provider[order][]": true, "providerOptions": true, "language": false} {
		part := "--x\r\nContent-Disposition: form-data; name=\"" + field + "\"\r\n\r\nen\r\n"
		model := "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n"
		path := "/api/v1/audio/transcriptions"
		r, err := provider.ParseForm(provider.ParsePath(path), path, "multipart/form-data; boundary=x", []byte(model+part+"--x--\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.ChoosesHost(provider.OpenRouter, ""); got != want {
			t.Errorf("a form with %q chooses a host: %v, want %v", field, got, want)
		}
	}
}
