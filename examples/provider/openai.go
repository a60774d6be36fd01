package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const malformedOpenAI = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library " +
	"correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble figuring out how to " +
	"fix this, please contact us through our help center at help.openai.com.)"

// chat answers POST /v1/chat/completions, for the vendor and for a pool.
func (s *server) chat(in *inbound) *apiError {
	f, err := decodeBody(openai, in.body)
	if err != nil {
		return invalid(openai, malformedOpenAI)
	}
	m, problem := s.openaiModel(in, f, makesAnswers)
	if problem != nil {
		return problem
	}
	if !f.has("messages") {
		return missingParameter("messages")
	}
	if problem := checkChat(m, f); problem != nil {
		return problem
	}
	d, problem := s.readChat(m, f)
	if problem != nil {
		return problem
	}
	style := chatStyles[in.house]
	style.plain = style.plain || s.cfg.role == rolePool
	return s.answer(in, s.newCall(in, d), &chatReply{
		includeUsage: f.object("stream_options").flag("include_usage"),
		pool:         s.cfg.role == rolePool,
		house:        in.house,
		chatStyle:    style,
	})
}

// openaiModel finds the model that the body names, or Azure's deployment in the path. A pool serves any name, free of
// charge.
func (s *server) openaiModel(in *inbound, f fields, kind modelKind) (*model, *apiError) {
	name := f.text("model")
	if f.d.problem != nil {
		return nil, f.d.problem
	}
	return s.openaiNamed(in, name, kind)
}

// openaiNamed finds the model of that name, or Azure's deployment in the path.
func (s *server) openaiNamed(in *inbound, name string, kind modelKind) (*model, *apiError) {
	if rest, ok := strings.CutPrefix(in.r.URL.Path, "/openai/deployments/"); ok && in.house == azure {
		name, _, _ = strings.Cut(rest, "/")
	}
	if name == "" {
		return nil, invalid(openai, "you must provide a model parameter")
	}
	if s.cfg.role == rolePool {
		return &model{ID: name, Vendor: openai, Window: 131_072}, nil
	}
	if in.house == azure { // a deployment is named by its owner, and here for its model
		name = strings.TrimPrefix(name, "prod-")
	}
	m := s.models[modelKey(in.house, name)]
	if m == nil || m.Vendor != openai || m.Kind != kind {
		return nil, unknownOpenAI(name)
	}
	return m, nil
}

func unknownOpenAI(name string) *apiError {
	e := invalid(openai, "The model `%s` does not exist or you do not have access to it.", name).about("model_not_found", "")
	e.status = http.StatusNotFound
	return e
}

func missingParameter(name string) *apiError {
	return invalid(openai, "Missing required parameter: '%s'.", name).about("missing_required_parameter", name)
}

func unsupportedParameter(name, advice string) *apiError {
	return invalid(openai, "Unsupported parameter: '%s' is not supported with this model.%s", name, advice).about("unsupported_parameter", name)
}

// checkChat rejects what the API rejects before it looks at the messages.
func checkChat(m *model, f fields) *apiError {
	if f.has("stream_options") && !f.flag("stream") {
		return invalid(openai, "The 'stream_options' parameter is only allowed when 'stream' is enabled.").about("", "stream_options")
	}
	if m.Price == nil { // a pool takes all that its engine takes
		return f.d.problem
	}
	checks := []*apiError{checkReasoning(m, f, "max_tokens"), checkCacheOptions(m, f)}
	if !m.Reasoning && f.has("reasoning_effort") {
		checks = append(checks, invalid(openai, "Unrecognized request argument supplied: reasoning_effort"))
	}
	if f.has("max_tokens") && f.has("max_completion_tokens") {
		checks = append(checks, invalid(openai, "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.").
			about("invalid_parameter_combination", "max_tokens"))
	}
	checks = append(checks, checkCap(m, f, "max_tokens", 1), checkCap(m, f, "max_completion_tokens", 1), checkSampling(f))
	if f.has("n") && (f.integer("n") < 1 || f.integer("n") > 128) {
		checks = append(checks, invalid(openai, "Invalid 'n': integer out of range. Expected a value between 1 and 128, but got %d instead.",
			f.integer("n")).about("integer_out_of_range", "n"))
	}
	return firstProblem(f, checks...)
}

func firstProblem(f fields, checks ...*apiError) *apiError {
	if f.d.problem != nil {
		return f.d.problem
	}
	for _, e := range checks {
		if e != nil {
			return e
		}
	}
	return nil
}

// checkReasoning rejects what reasoning models do not take. Chat alone has a deprecated cap, named by oldCap.
func checkReasoning(m *model, f fields, oldCap string) *apiError {
	if !m.Reasoning {
		return nil
	}
	if oldCap != "" && f.has(oldCap) {
		return unsupportedParameter(oldCap, " Use 'max_completion_tokens' instead.")
	}
	if f.has("temperature") && f.number("temperature") != 1 {
		return invalid(openai, "Unsupported value: 'temperature' does not support %s with this model. Only the default (1) value is supported.",
			f.raw("temperature")).about("unsupported_value", "temperature")
	}
	for _, name := range []string{"top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"} {
		if f.has(name) && string(f.raw(name)) != "false" {
			return unsupportedParameter(name, "")
		}
	}
	return nil
}

// checkCap rejects an output cap below least or above the model's maximum.
func checkCap(m *model, f fields, name string, least int) *apiError {
	if !f.has(name) {
		return nil
	}
	n := f.integer(name)
	if f.d.problem != nil {
		return f.d.problem
	}
	if n < least {
		return invalid(openai, "Invalid '%s': integer below minimum value. Expected a value >= %d, but got %d instead.", name, least, n).
			about("integer_below_min_value", name)
	}
	if n > m.MaxOutput {
		return invalid(openai, "%s is too large: %d. This model supports at most %d completion tokens, whereas you provided %d.",
			name, n, m.MaxOutput, n).about("invalid_value", name)
	}
	return nil
}

// checkSampling rejects a temperature outside of 0 to 2.
func checkSampling(f fields) *apiError {
	reject := func(side, bound, code string) *apiError {
		return invalid(openai, "Invalid 'temperature': decimal %s value. Expected a value %s, but got %s instead.", side, bound,
			f.raw("temperature")).about(code, "temperature")
	}
	switch t := f.number("temperature"); {
	case t < 0:
		return reject("below minimum", ">= 0", "decimal_below_min_value")
	case t > 2:
		return reject("above maximum", "<= 2", "decimal_above_max_value")
	}
	return nil
}

// checkCacheOptions rejects prompt_cache_options where the model or the value does not fit.
func checkCacheOptions(m *model, f fields) *apiError {
	if !f.has("prompt_cache_options") {
		return nil
	}
	if m.Cache.Kind != cacheBreakpoints {
		return unsupportedParameter("prompt_cache_options", "")
	}
	if f.has("prompt_cache_retention") {
		return invalid(openai, "Setting 'prompt_cache_options' and 'prompt_cache_retention' at the same time is not supported.").
			about("invalid_parameter_combination", "prompt_cache_retention")
	}
	o := f.object("prompt_cache_options")
	if mode := o.text("mode"); mode != "" && mode != "implicit" && mode != "explicit" {
		return invalid(openai, "Invalid value: '%s'. Supported values are: 'implicit' and 'explicit'.", mode).about("invalid_value", o.at("mode"))
	}
	ttl := o.text("ttl")
	if ttl != "" && ttl != "30m" && (ttl != "12h" || m.Price.WriteLong == "") {
		return invalid(openai, "Invalid value: '%s'. Supported values are: '30m'.", ttl).about("invalid_value", o.at("ttl"))
	}
	return nil
}

// readCacheOptions is how the caller steers OpenAI's prompt cache.
func readCacheOptions(f fields) cacheRequest {
	r := cacheRequest{key: f.text("prompt_cache_key")}
	if f.text("prompt_cache_retention") == "24h" {
		r.life = 24 * time.Hour
	}
	o := f.object("prompt_cache_options")
	r.off = o.text("mode") == "explicit"
	if o.text("ttl") == "12h" {
		r.life = 12 * time.Hour
	}
	return r
}

// readChat renders the prompt and collects what the answer depends on.
func (s *server) readChat(m *model, f fields) (draft, *apiError) {
	d := draft{api: "openai.chat", prefix: "chatcmpl-", model: m, shown: m.shown(), choices: f.integer("n"), stream: f.flag("stream"), class: serviceClass(f)}
	d.ask.limit = -1
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		if f.has(name) {
			d.ask.limit = f.integer(name)
		}
	}
	d.ask.reasons = m.Reasoning && f.text("reasoning_effort") != "none"
	d.cache = readCacheOptions(f)
	c := &chatReader{w: s.promptWriter(m), ask: &d.ask, open: map[string]bool{}}
	c.tools(f)
	messages := f.list("messages")
	if f.d.problem == nil && len(messages) == 0 {
		return d, invalid(openai, "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.").
			about("empty_array", "messages")
	}
	for _, e := range messages {
		c.message(e.object())
	}
	c.closed(f.d, "messages")
	if f.d.problem != nil {
		return d, f.d.problem
	}
	d.prompt = c.w.finish()
	if n := d.prompt.length(); n+max(0, d.ask.limit) > m.Window {
		return d, chatTooLong(m, n, max(0, d.ask.limit))
	}
	return d, nil
}

// serviceClass is the class of service that the caller asks for. Fast is another name for priority.
func serviceClass(f fields) string {
	if class := f.text("service_tier"); class != "fast" {
		return class
	}
	return "priority"
}

func chatTooLong(m *model, input, output int) *apiError {
	what := fmt.Sprintf("your messages resulted in %d tokens. Please reduce the length of the messages.", input)
	if output > 0 {
		what = fmt.Sprintf("you requested %d tokens (%d in the messages, %d in the completion). Please reduce the length of the messages or completion.",
			input+output, input, output)
	}
	return invalid(openai, "This model's maximum context length is %d tokens. However, %s", m.Window, what).about("context_length_exceeded", "messages")
}
