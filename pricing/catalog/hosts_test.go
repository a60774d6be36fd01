package catalog

import (
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
)

func TestProviderOf(t *testing.T) {
	for _, tt := range []struct {
		host string
		want pricing.ProviderName // "" for unknown
	}{
		{"api.openai.com", "openai"},
		{"API.OpenAI.com:443", "openai"},
		{"api.openai.com.", "openai"},
		{"api.openai.com.:443", "openai"},
		{"api.openai.com.evil.example", ""},
		{"evil-api.openai.com", ""},
		{"openai.com", ""},
		{"api.anthropic.com", "anthropic"},
		{"generativelanguage.googleapis.com", "google"},
		{"aiplatform.googleapis.com", "google"},
		{"europe-west4-aiplatform.googleapis.com", "google"},
		{"-aiplatform.googleapis.com", ""},
		{"a.b-aiplatform.googleapis.com", ""},
		{"contoso.openai.azure.com", "azure_openai"},
		{".openai.azure.com", ""},
		{"openai.azure.com", ""},
		{"bedrock-runtime.us-east-1.amazonaws.com", "aws_bedrock"},
		{"bedrock-runtime.amazonaws.com", ""},
		{"bedrock-runtime.us-east-1.amazonaws.com.cn", ""},
		{"codestral.mistral.ai", "mistral"},
		{"dashscope-intl.aliyuncs.com", "alibaba"},
		{"openrouter.ai", "openrouter"},
		{"", ""},
		{":443", ""},
		{"[::1]:8080", ""},
		{"127.0.0.1", ""},
	} {
		if got, ok := ProviderOf(tt.host); got != tt.want || ok != (tt.want != "") {
			t.Errorf("ProviderOf(%q) = %q, %t, want %q", tt.host, got, ok, tt.want)
		}
	}
}

func TestHostsRefuse(t *testing.T) {
	for _, tt := range []struct{ host, want string }{
		{"", `host "": want a name in lower case without a port`},
		{"API.example.com", `host "API.example.com": want a name in lower case without a port`},
		{"a.example.com:80", `host "a.example.com:80": want a name in lower case without a port`},
		{"*.*.example.com", `host "*.*.example.com": want one * with a domain behind it`},
		{"api.*", `host "api.*": want one * with a domain behind it`},
		{"once.example.com", `host "once.example.com": listed twice`},
	} {
		var h hosts
		if err := h.add("once.example.com", "a"); err != nil {
			t.Fatal(err)
		}
		if err := h.add(tt.host, "b"); err == nil || err.Error() != tt.want {
			t.Errorf("add(%q) = %v, want %s", tt.host, err, tt.want)
		}
	}
}

func BenchmarkProviderOf(b *testing.B) {
	for _, host := range []string{"api.openai.com:443", "europe-west4-aiplatform.googleapis.com"} {
		b.Run(host, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ProviderOf(host)
			}
		})
	}
}
