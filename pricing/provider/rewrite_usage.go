package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// AddsUsage reports whether Rewrite for t asks the provider for the usage of a stream, which it would not state
// otherwise. Then a UsageStripper must take the chunk that states it out of the answer.
//
// It does if t wants it, the call is a chat or text completion whose answer is streamed, and the vendor is one that
// takes the option. Others state the usage in any case, see statesUsage, or may refuse the call for it, as older
// versions of Azure's API.
func (r *Request) AddsUsage(t Target) bool {
	switch {
	case !t.AddUsage, !r.Stream, r.Facts.Has(IncludeUsage), r.API != OpenAIChat && r.API != OpenAICompletions:
		return false
	}
	return takesUsageOption(t.Vendor) && !r.ownData && azureVersion(r.path) >= azureUsageVersion
}

// takesUsageOption reports whether a vendor documents stream_options.include_usage and leaves the usage out without
// it. Pools are vLLM, SGLang, TGI, llama.cpp or Ollama.
//
// Sources, as read in November 2026: the API reference of each vendor, and
// https://www.alibabacloud.com/help/en/model-studio/use-qwen-by-calling-api for Alibaba.
func takesUsageOption(vendor pricing.ProviderName) bool {
	switch vendor {
	case "", OpenAI, azureOpenAI, Groq, "together", "fireworks", "alibaba":
		return true
	}
	return false
}

// statesUsage reports whether a vendor states the usage of every stream of completions, asked or not: with the last
// choice or, xAI, behind it.
//
// Sources, as read in November 2026: OpenRouter, "Usage Accounting"; the API references of DeepSeek (stream_options),
// Mistral, Perplexity, xAI and Z.AI.
func statesUsage(vendor pricing.ProviderName) bool {
	switch vendor {
	case OpenRouter, Perplexity, XAI, "deepseek", "mistral", "zai":
		return true
	}
	return false
}

// azureUsageVersion is the version of Azure's API from which on all its models take stream_options, which its
// specification has since 2024-08-01-preview. Calls with data sources of one's own refuse them in all versions.
// Sources: https://learn.microsoft.com/en-us/answers/questions/2007680 and 2280689.
const azureUsageVersion = "2024-09-01"

// azureVersion returns the api-version that a path asks for, a date with or without "-preview"; what comes after all
// dates if it asks for none, or for "v1" or "preview".
func azureVersion(path string) string {
	_, query := cutQuery(path)
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if key, value, _ := strings.Cut(pair, "="); strings.EqualFold(unescape(key), "api-version") {
			return unescape(value)
		}
	}
	return "v1"
}

// usage asks for the usage of a stream.
func (w *rewriter) usage() {
	const option = `"include_usage":true`
	r := w.r
	switch {
	case !r.AddsUsage(w.t):
	case r.include.End > 0: // false or null
		w.replace(r.include, "true")
	case r.options.End == 0:
		w.member(`"stream_options":{` + option + `}`)
	case r.body[r.options.Start] == '{':
		w.insertInto(Span{r.options.Start + 1, r.options.End - 1}, option)
	default: // null
		w.replace(r.options, `{`+option+`}`)
	}
}
