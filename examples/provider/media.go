package main

import (
	"io"
	"net/http"
)

// Tokens of one picture of 1024 by 1024 at each quality, as in OpenAI's guide to image generation.
var pictureTokens = map[string]int{"low": 272, "medium": 1056, "high": 4160, "": 1056, "auto": 1056}

// A mediaReply renders an answer that is made beforehand.
type mediaReply struct{ body any }

func (*mediaReply) contentType(bool) string { return "application/json" }

func (r *mediaReply) whole(*call) []byte { return pretty(r.body) }

// stream and last are never called: media do not stream.
func (*mediaReply) stream(*call, *sink) error { return nil }
func (*mediaReply) last(*call) []byte         { return nil }

// mediaCall is a call that has no prompt cache.
func (s *server) mediaCall(in *inbound, api string, m *model, u usage) *call {
	return &call{id: "media-" + s.token(in.number, api)[:28], api: api, model: m, shown: m.shown(), factor: "1", created: s.clock.now().Unix(),
		input: u, noUsage: in.fault.noUsage, publish: func() {}, request: requestID(in)}
}

// images answers POST /v1/images/generations.
func (s *server) images(in *inbound) *apiError {
	f, err := decodeBody(openai, in.body)
	if err != nil {
		return invalid(openai, malformedOpenAI)
	}
	m, problem := s.openaiModel(in, f, makesImages)
	if problem != nil {
		return problem
	}
	tokens, ok := pictureTokens[f.text("quality")]
	n := max(1, f.integer("n"))
	if f.d.problem != nil || !ok || n > 10 || f.text("prompt") == "" {
		return firstProblem(f, invalid(openai, "Invalid value: 'quality', 'n' or 'prompt'."))
	}
	w := s.promptWriter(m)
	w.text(f.text("prompt"))
	c := s.mediaCall(in, "openai.images", m, usage{Input: w.length(), Output: n * tokens})
	type picture struct {
		Data string `json:"b64_json"`
	}
	body := struct {
		Created int64          `json:"created"`
		Data    []picture      `json:"data"`
		Quality string         `json:"quality"`
		Size    string         `json:"size"`
		Usage   map[string]any `json:"usage,omitempty"`
	}{Created: c.created, Quality: f.text("quality"), Size: "1024x1024"}
	for range n {
		body.Data = append(body.Data, picture{"iVBORw0KGgo="})
	}
	if u := c.input; !c.noUsage {
		body.Usage = map[string]any{"input_tokens": u.Input, "output_tokens": u.Output, "total_tokens": u.Input + u.Output,
			"input_tokens_details": map[string]int{"text_tokens": u.Input, "image_tokens": 0}}
	}
	return s.answer(in, c, &mediaReply{body})
}

const (
	soundBytesPerToken  = 100
	soundBytesPerSecond = 1000
)

// transcriptions answers POST /v1/audio/transcriptions, whose form has the model and a file of any bytes.
func (s *server) transcriptions(in *inbound) *apiError {
	in.r.Body = io.NopCloser(newReader(in.body))
	if err := in.r.ParseMultipartForm(maxBody); err != nil {
		return invalid(openai, "Could not parse multipart form: %v", err)
	}
	m := s.models[modelKey(in.house, in.r.FormValue("model"))]
	if m == nil || m.Kind != makesScripts {
		return unknownOpenAI(in.r.FormValue("model"))
	}
	_, file, err := in.r.FormFile("file")
	if err != nil {
		return missingParameter("file")
	}
	said := ask{limit: -1}.generate(s.cfg.seed, m, digest{}, int(file.Size))
	var u usage
	var shown map[string]any
	if m.Price.Hour != "" {
		u.Seconds = (int(file.Size) + soundBytesPerSecond - 1) / soundBytesPerSecond
		shown = map[string]any{"type": "duration", "seconds": u.Seconds}
	} else {
		u.Audio, u.Output = int(file.Size)/soundBytesPerToken, len(said.pieces)
		shown = map[string]any{"type": "tokens", "input_tokens": u.Audio, "output_tokens": u.Output, "total_tokens": u.Audio + u.Output,
			"input_token_details": map[string]int{"text_tokens": 0, "audio_tokens": u.Audio}}
	}
	c := s.mediaCall(in, "openai.transcriptions", m, u)
	body := map[string]any{"text": said.text()}
	if !c.noUsage {
		body["usage"] = shown
	}
	return s.answer(in, c, &mediaReply{body})
}

// routeVertex finds what Google serves of its own models and of Anthropic's behind a project in the path.
func (s *server) routeVertex(r *http.Request) (vendor, handler) {
	if r.Method == http.MethodPost && hasPublisher(r, "anthropic") {
		return anthropic, s.vertexClaude
	}
	if hasPublisher(r, "google") {
		return google, s.gemini
	}
	return google, rootOr(r, unknownURL)
}
