package main

import "encoding/json"

// A chatUsage is what Chat's answers say of their usage, with what single houses add.
type chatUsage struct {
	Prompt            int                    `json:"prompt_tokens"`
	Completion        int                    `json:"completion_tokens"`
	Total             int                    `json:"total_tokens"`
	PromptDetails     *chatPromptDetails     `json:"prompt_tokens_details"`
	CompletionDetails *chatCompletionDetails `json:"completion_tokens_details,omitempty"`

	CacheHit  *int        `json:"prompt_cache_hit_tokens,omitempty"` // DeepSeek
	CacheMiss *int        `json:"prompt_cache_miss_tokens,omitempty"`
	Cost      *float64    `json:"cost,omitempty"` // OpenRouter: USD
	Details   *upstreamed `json:"cost_details,omitempty"`
	OwnKey    *bool       `json:"is_byok,omitempty"`
	Ticks     *int64      `json:"cost_in_usd_ticks,omitempty"` // xAI: 1e-10 USD
	Sources   *int        `json:"num_sources_used,omitempty"`
	Time      *float64    `json:"total_time,omitempty"` // Groq: seconds
}

type chatPromptDetails struct {
	Cached int  `json:"cached_tokens"`
	Audio  int  `json:"audio_tokens"`
	Writes *int `json:"cache_write_tokens,omitempty"`
}

type chatCompletionDetails struct {
	Reasoning int `json:"reasoning_tokens"`
	Audio     int `json:"audio_tokens"`
	Accepted  int `json:"accepted_prediction_tokens"`
	Rejected  int `json:"rejected_prediction_tokens"`
}

// upstreamed is what OpenRouter paid itself, if that is told.
type upstreamed struct {
	Inference *float64 `json:"upstream_inference_cost"`
}

// usage is inclusive: cached and written tokens are part of the prompt, reasoning is part of the completion but where
// the house counts it apart.
func (r *chatReply) usage(c *call) json.RawMessage {
	u := c.usage()
	out := chatUsage{Prompt: u.totalInput(), Completion: u.Output, Total: u.totalInput() + u.Output}
	if !r.pool {
		out.PromptDetails = &chatPromptDetails{Cached: u.CacheRead, Writes: writesOf(c, u)}
		out.CompletionDetails = &chatCompletionDetails{Reasoning: u.Reasoning}
	}
	if r.reasoningApart {
		out.Completion -= u.Reasoning
	}
	switch r.house {
	case deepseek:
		miss := u.totalInput() - u.CacheRead
		out.CacheHit, out.CacheMiss = &u.CacheRead, &miss
	case groq:
		seconds := 0.0625
		out.Time = &seconds
	case openrouter:
		usd := float64(c.cost(u)) / 1e9 // as its shortest decimal number, which has all nine places
		out.Cost, out.Details, out.OwnKey = &usd, &upstreamed{}, new(bool)
	case xai:
		ticks := c.cost(u) * 10
		out.Ticks, out.Sources = &ticks, new(int)
	}
	return mustJSON(out)
}
