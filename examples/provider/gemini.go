package main

import (
	"net/http"
	"strings"
)

// gemini answers /v1beta/models and /v1beta/models/M:verb, and the same under /v1.
func (s *server) gemini(in *inbound) *apiError {
	version, rest, _ := strings.Cut(strings.TrimPrefix(in.r.URL.Path, "/"), "/")
	if in.house == vertex {
		_, rest, _ = strings.Cut(rest, "/publishers/google/")
	}
	rest, ok := strings.CutPrefix(rest, "models")
	if !ok {
		return unknownURL(in)
	}
	if rest == "" && in.r.Method == http.MethodGet {
		return s.listGemini(in)
	}
	name, verb, _ := strings.Cut(strings.TrimPrefix(rest, "/"), ":")
	if in.r.Method != http.MethodPost || verb != "generateContent" && verb != "streamGenerateContent" && verb != "countTokens" {
		return unknownURL(in)
	}
	m := s.models[modelKey(in.house, name)]
	if m == nil || m.Vendor != google {
		e := invalid(google, "models/%s is not found for API version %s, or is not supported for %s. Call ListModels to see the list of "+
			"available models and their supported methods.", name, version, verb)
		e.status, e.kind = http.StatusNotFound, "NOT_FOUND"
		return e
	}
	f, err := decodeBody(google, in.body)
	if err != nil {
		return invalid(google, "Invalid JSON payload received. %v", err)
	}
	if problem := checkGemini(m, f); problem != nil {
		return problem
	}
	d, problem := s.readGemini(m, f)
	if problem != nil {
		return problem
	}
	if verb == "countTokens" {
		n := d.prompt.length()
		writeJSON(in, pretty(map[string]any{"totalTokens": n, "promptTokensDetails": []modality{{"TEXT", n}}}))
		return nil
	}
	d.stream = verb == "streamGenerateContent"
	return s.answer(in, s.newCall(in, d), &geminiReply{
		events:   in.r.URL.Query().Get("alt") == "sse",
		thoughts: f.object("generationConfig").object("thinkingConfig").flag("includeThoughts"),
	})
}

func (s *server) listGemini(in *inbound) *apiError {
	type entry struct {
		Name    string   `json:"name"`
		Input   int      `json:"inputTokenLimit"`
		Output  int      `json:"outputTokenLimit"`
		Methods []string `json:"supportedGenerationMethods"`
	}
	list := []entry{}
	for _, m := range s.list {
		if m.Vendor == google && m.House == in.house {
			list = append(list, entry{"models/" + m.ID, m.Window, m.MaxOutput, []string{"generateContent", "countTokens"}})
		}
	}
	writeJSON(in, pretty(map[string]any{"models": list}))
	return nil
}

// checkGemini rejects what the API rejects before it looks at the contents.
func checkGemini(m *model, f fields) *apiError {
	var checks []*apiError
	if !f.has("contents") || len(f.list("contents")) == 0 {
		checks = append(checks, invalid(google, "* GenerateContentRequest.contents: contents is not specified\n"))
	}
	if f.has("cachedContent") {
		e := invalid(google, "CachedContent not found (or permission denied)")
		e.status, e.kind = http.StatusForbidden, "PERMISSION_DENIED"
		checks = append(checks, e)
	}
	g := f.object("generationConfig")
	if n := g.integer("maxOutputTokens"); g.has("maxOutputTokens") && (n < 1 || n > m.MaxOutput) {
		checks = append(checks, invalid(google, "Unable to submit request because it has a maxOutputTokens value of %d but the supported range is "+
			"from 1 (inclusive) to %d (exclusive). Update the value and try again.", n, m.MaxOutput+1))
	}
	if n := g.integer("candidateCount"); g.has("candidateCount") && (n < 1 || n > 8) {
		checks = append(checks, invalid(google, "* GenerateContentRequest.generation_config.candidate_count: The value must be between 1 and 8, inclusive.\n"))
	}
	t := g.object("thinkingConfig")
	if t.has("thinkingBudget") && t.integer("thinkingBudget") == 0 && strings.HasSuffix(m.ID, "-pro") {
		checks = append(checks, invalid(google, "Budget 0 is invalid. This model only works in thinking mode."))
	}
	if t.has("thinkingLevel") && strings.HasPrefix(m.ID, "gemini-2.5") {
		checks = append(checks, invalid(google, "Thinking level is not supported for this model."))
	}
	return firstProblem(f, checks...)
}

// readGemini renders the prompt and collects what the answer depends on.
func (s *server) readGemini(m *model, f fields) (draft, *apiError) {
	g := f.object("generationConfig")
	d := draft{api: "gemini.generate", model: m, shown: m.shown(), choices: g.integer("candidateCount")}
	d.ask.limit = -1
	if g.has("maxOutputTokens") {
		d.ask.limit = g.integer("maxOutputTokens")
	}
	t := g.object("thinkingConfig")
	d.ask.reasons = !t.has("thinkingBudget") || t.integer("thinkingBudget") != 0
	r := &contentReader{w: s.promptWriter(m), ask: &d.ask}
	r.tools(f)
	if f.has("systemInstruction") {
		r.w.role(roleSystem)
		d.ask.system = r.parts(f.object("systemInstruction"), blockSystem)
		r.w.endMessage()
	}
	for _, e := range f.list("contents") {
		content := e.object()
		role := content.text("role")
		if role != "" && role != "user" && role != "model" && role != "function" {
			f.d.reject(invalid(google, "Please use a valid role: user, model."))
		}
		r.w.role(roleMark(role))
		text := r.parts(content, blockMessage)
		r.w.endMessage()
		if role == "" || role == "user" {
			d.ask.lastUser = text
		}
	}
	if f.d.problem != nil {
		return d, f.d.problem
	}
	d.prompt = r.w.finish()
	if n := d.prompt.length(); n > m.Window {
		return d, invalid(google, "The input token count (%d) exceeds the maximum number of tokens allowed (%d).", n, m.Window)
	}
	return d, nil
}

// A contentReader renders Gemini contents.
type contentReader struct {
	w   promptWriter
	ask *ask
}

func (r *contentReader) tools(f fields) {
	for _, e := range f.list("tools") {
		for _, declaration := range e.object().list("functionDeclarations") {
			r.ask.tools = append(r.ask.tools, declaration.object().text("name"))
		}
		r.w.mark(markTools)
		r.w.json(e.raw)
		r.w.end(blockTools, 0)
	}
	calling := f.object("toolConfig").object("functionCallingConfig")
	switch calling.text("mode") {
	case "NONE":
		r.ask.tools = nil
	case "ANY":
		r.ask.forced = "*"
	}
}

// parts renders one content and returns its text.
func (r *contentReader) parts(content fields, kind blockKind) string {
	var texts []string
	for _, e := range content.list("parts") {
		part := e.object()
		switch {
		case part.has("text"):
			texts = append(texts, part.text("text"))
			r.w.mark(markText)
			r.w.text(part.text("text"))
		case part.has("inlineData"), part.has("fileData"):
			r.w.image(e.raw)
		case part.has("functionCall"):
			r.w.mark(markCall)
			r.w.json(part.raw("functionCall"))
		case part.has("functionResponse"):
			r.w.mark(markResult)
			r.w.json(part.raw("functionResponse"))
		default:
			r.w.json(e.raw)
		}
		r.w.end(kind, 0)
	}
	return strings.Join(texts, "\n")
}
