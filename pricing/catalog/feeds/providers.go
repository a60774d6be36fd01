package feeds

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// vendors maps the names of other lists to those of the catalogue. A name that is not there stays as it is.
var vendors = map[string]pricing.ProviderName{
	// LiteLLM
	"azure": "azure_openai", "azure_ai": "azure_openai", "azure_text": "azure_openai",
	"bedrock": "aws_bedrock", "bedrock_converse": "aws_bedrock", "bedrock_mantle": "aws_bedrock",
	"gemini": "google", "vertex_ai": "google", "palm": "google",
	"cohere_chat": "cohere", "together_ai": "together", "dashscope": "alibaba", "fireworks_ai": "fireworks",
	"fireworks_ai-embedding-models": "fireworks", "codestral": "mistral", "text-completion-codestral": "mistral",
	"text-completion-openai": "openai", "text-completion-inception": "inception",
	// genai-prices
	"aws": "aws_bedrock", "x-ai": "xai", "moonshotai": "moonshot", "voyageai": "voyage",
}

func vendor(name string) pricing.ProviderName {
	if strings.HasPrefix(name, "vertex_ai-") {
		name = "vertex_ai"
	}
	if p, ok := vendors[name]; ok {
		return p
	}
	return pricing.ProviderName(name)
}

// bareName is a model of LiteLLM's without the vendor that the key begins with: a client sends
// "accounts/fireworks/models/llama", the key is "fireworks_ai/accounts/fireworks/models/llama".
func bareName(key, vendor string) pricing.ModelName {
	first, rest, found := strings.Cut(key, "/")
	if !found || rest == "" {
		return pricing.ModelName(key)
	}
	family, _, _ := strings.Cut(vendor, "-") // "vertex_ai-language-models", "fireworks_ai-embedding-models"
	switch first {
	case vendor, family, "azure", "bedrock", "vertex_ai", "text-completion-openai":
		return pricing.ModelName(rest)
	case "amazon-nova":
		if vendor == "amazon_nova" {
			return pricing.ModelName(rest)
		}
	}
	return pricing.ModelName(key)
}
