package main

import "net/http"

// Tokens of one picture of 1024 by 1024 at each quality, as in OpenAI's guide to image generation.
var pictureTokens = map[string]int{"low": 272, "medium": 1056, "high": 4160, "": 1056, "auto": 1056}

// partialTokens is what a picture that is sent before it is done adds, as in the same guide.
const partialTokens = 100

// A mediaReply renders an answer that is made beforehand.
type mediaReply struct{ body any }

func (*mediaReply) contentType(bool) string { return "application/json" }

func (r *mediaReply) whole(*call) []byte { return pretty(r.body) }

// stream and last are never called: these answers do not stream.
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
	o := pictureOrder{count: max(1, f.integer("n")), quality: f.text("quality"), prompt: f.text("prompt"), partial: f.integer("partial_images"),
		stream: f.flag("stream"), event: "image_generation"}
	if f.d.problem != nil {
		return f.d.problem
	}
	return s.paint(in, m, o)
}

// A pictureOrder is what a call for pictures asks for.
type pictureOrder struct {
	prompt  string
	count   int // pictures wanted
	read    int // pictures to begin with
	quality string
	stream  bool
	partial int    // pictures that are sent before it is done
	event   string // how the names of events begin
}

// paint answers a call for pictures. They are made, and billed, whether or not somebody waits for them.
func (s *server) paint(in *inbound, m *model, o pictureOrder) *apiError {
	tokens, ok := pictureTokens[o.quality]
	if !ok || o.count < 1 || o.count > 10 || o.prompt == "" || o.partial < 0 || o.partial > 3 || o.stream && o.count > 1 {
		return invalid(openai, "Invalid value: 'quality', 'n', 'partial_images' or 'prompt'.")
	}
	if !o.stream {
		o.partial = 0
	}
	w := s.promptWriter(m)
	w.text(o.prompt)
	c := s.mediaCall(in, "openai.images", m, usage{Input: w.length(), Pictures: o.read * readPictureTokens, Output: o.count*tokens + o.partial*partialTokens})
	c.stream, c.always = o.stream, true
	return s.answer(in, c, &pictureReply{o})
}

// A pictureReply renders pictures, all of them alike.
type pictureReply struct{ pictureOrder }

// pictureData is the start of a PNG file.
const pictureData = "iVBORw0KGgo="

func (*pictureReply) contentType(stream bool) string {
	if stream {
		return "text/event-stream; charset=utf-8"
	}
	return "application/json"
}

func (r *pictureReply) usage(c *call) map[string]any {
	u := c.usage()
	in := u.Input + u.Pictures
	return map[string]any{"input_tokens": in, "output_tokens": u.Output, "total_tokens": in + u.Output,
		"input_tokens_details": map[string]int{"text_tokens": u.Input, "image_tokens": u.Pictures}}
}

func (r *pictureReply) whole(c *call) []byte {
	type picture struct {
		Data string `json:"b64_json"`
	}
	body := struct {
		Created int64          `json:"created"`
		Data    []picture      `json:"data"`
		Quality string         `json:"quality"`
		Size    string         `json:"size"`
		Usage   map[string]any `json:"usage,omitempty"`
	}{Created: c.created, Quality: r.quality, Size: "1024x1024"}
	for range r.count {
		body.Data = append(body.Data, picture{pictureData})
	}
	if !c.noUsage {
		body.Usage = r.usage(c)
	}
	return pretty(body)
}

func (r *pictureReply) stream(_ *call, out *sink) error {
	for i := range r.partial {
		kind := r.event + ".partial_image"
		if err := out.event(sse(kind, mustJSON(map[string]any{"type": kind, "b64_json": pictureData, "partial_image_index": i})), partialTokens); err != nil {
			return err
		}
	}
	return nil
}

func (r *pictureReply) last(c *call) []byte {
	kind := r.event + ".completed"
	done := map[string]any{"type": kind, "b64_json": pictureData, "created_at": c.created}
	if !c.noUsage {
		done["usage"] = r.usage(c)
	}
	return sse(kind, mustJSON(done))
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
