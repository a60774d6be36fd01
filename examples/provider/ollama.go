package main

import (
	"net/http"
	"strings"
)

// routeOllama finds POST /api/chat and /api/generate, which are free of charge.
func (s *server) routeOllama(r *http.Request) handler {
	if r.Method == http.MethodPost && (r.URL.Path == "/api/chat" || r.URL.Path == "/api/generate") {
		return s.ollama
	}
	return rootOr(r, unknownURL)
}

func (s *server) ollama(in *inbound) *apiError {
	f, err := decodeBody(ollama, in.body)
	if err != nil || f.text("model") == "" {
		return invalid(ollama, "model is required")
	}
	m := &model{ID: f.text("model"), Vendor: ollama, House: ollamaHome, Window: 131_072}
	d := draft{api: "ollama.chat", model: m, shown: m.ID, stream: !f.has("stream") || f.flag("stream"), ask: ask{limit: -1}}
	if o := f.object("options"); o.has("num_predict") {
		d.ask.limit = o.integer("num_predict")
	}
	c := &chatReader{w: s.promptWriter(m), ask: &d.ask, open: map[string]bool{}}
	c.tools(f)
	for _, e := range f.list("messages") {
		c.message(e.object())
	}
	reply := &ollamaReply{chat: true}
	if strings.HasSuffix(in.r.URL.Path, "/generate") {
		d.api, reply.chat = "ollama.generate", false
		c.w.role(roleUser)
		c.w.text(f.text("prompt"))
		d.ask.lastUser = f.text("prompt")
	}
	if f.d.problem != nil {
		return f.d.problem
	}
	d.prompt = c.w.finish()
	return s.answer(in, s.newCall(in, d), reply)
}

// An ollamaReply renders Ollama's own API, whose streams are lines of JSON.
type ollamaReply struct{ chat bool }

type ollamaBody struct {
	Model     string      `json:"model"`
	CreatedAt string      `json:"created_at"`
	Message   *ollamaSaid `json:"message,omitempty"`
	Response  *string     `json:"response,omitempty"`
	Done      bool        `json:"done"`
	Reason    string      `json:"done_reason,omitempty"`
	*ollamaUsage
}

type ollamaSaid struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type ollamaUsage struct {
	Total  int64 `json:"total_duration"` // nanoseconds
	Prompt int   `json:"prompt_eval_count"`
	Answer int   `json:"eval_count"`
}

func (*ollamaReply) contentType(stream bool) string {
	if stream {
		return "application/x-ndjson"
	}
	return "application/json; charset=utf-8"
}

func (r *ollamaReply) body(c *call, text string) ollamaBody {
	b := ollamaBody{Model: c.shown, CreatedAt: "2026-11-22T10:00:00.123456Z"}
	if r.chat {
		b.Message = &ollamaSaid{"assistant", text}
	} else {
		b.Response = &text
	}
	return b
}

func (r *ollamaReply) end(c *call, text string) []byte {
	b := r.body(c, text)
	b.Done, b.Reason = true, *(&chatReply{}).finish(c.answers[0])
	if u := c.usage(); !c.noUsage {
		b.ollamaUsage = &ollamaUsage{Total: 321_000_000, Prompt: u.totalInput(), Answer: u.Output}
	}
	return append(mustJSON(b), '\n')
}

func (r *ollamaReply) whole(c *call) []byte { return r.end(c, c.answers[0].text()) }

func (r *ollamaReply) stream(c *call, out *sink) error {
	for _, piece := range c.answers[0].pieces {
		if err := out.event(append(mustJSON(r.body(c, piece)), '\n'), 1); err != nil {
			return err
		}
	}
	return nil
}

func (r *ollamaReply) last(c *call) []byte { return r.end(c, "") }
