package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// compact drops repetitions.
func compact(names []string) []string {
	var out []string
	for _, n := range names {
		if len(out) == 0 || out[len(out)-1] != n {
			out = append(out, n)
		}
	}
	return out
}

func TestChatStream(t *testing.T) {
	for _, tt := range []struct {
		name, options string
		usage         bool
	}{
		{"usage is not sent unasked", "", false},
		{"usage comes in a chunk of its own", `"stream_options":{"include_usage":true},`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{})
			_, body := b.post(t, "/v1/chat/completions", `{"model":"gpt-4o","stream":true,`+tt.options+`"messages":[{"role":"user","content":"[[tokens=3]]"}]}`)
			events := parseEvents(t, body)
			if last := events[len(events)-1].data; last != "[DONE]" {
				t.Fatalf("last event is %q, want [DONE]", last)
			}
			text, finish := "", any(nil)
			var chunks []map[string]any
			for _, e := range events[:len(events)-1] {
				chunk := object(t, e.data)
				chunks = append(chunks, chunk)
				piece, _ := dig(chunk, "choices", 0, "delta", "content").(string)
				text += piece
				if f := dig(chunk, "choices", 0, "finish_reason"); f != nil {
					finish = f
				}
				if _, present := chunk["usage"]; present != tt.usage || chunk["object"] != "chat.completion.chunk" {
					t.Errorf("chunk %s: usage present is %t, want %t", e.data, present, tt.usage)
				}
			}
			if n := len(strings.Fields(text)); n != 3 || finish != "stop" {
				t.Errorf("text %q of %d words, finish %v, want three words and stop", text, n, finish)
			}
			last := chunks[len(chunks)-1]
			if tt.usage && (len(last["choices"].([]any)) != 0 || dig(last, "usage", "completion_tokens") != 3.0) {
				t.Errorf("last chunk %v: want no choices and three completion tokens", last)
			}
		})
	}
}

func TestResponsesStream(t *testing.T) {
	b := newBench(t, config{})
	for _, tt := range []struct {
		name, body string
		want       []string
	}{
		{"text", `{"model":"gpt-4.1","stream":true,"input":"[[tokens=3]]"}`, []string{"response.created", "response.in_progress",
			"response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.done",
			"response.content_part.done", "response.output_item.done", "response.completed"}},
		{"cut at the cap", `{"model":"gpt-4.1","stream":true,"max_output_tokens":16,"input":"[[tokens=30]]"}`, []string{"response.created",
			"response.in_progress", "response.output_item.added", "response.content_part.added", "response.output_text.delta",
			"response.output_text.done", "response.content_part.done", "response.output_item.done", "response.incomplete"}},
		{"reasoning and a tool", `{"model":"gpt-6-sol","stream":true,"tools":[{"type":"function","name":"f"}],"input":"[[tool]] [[reasoning=4]]"}`,
			[]string{"response.created", "response.in_progress", "response.output_item.added", "response.output_item.done",
				"response.output_item.added", "response.function_call_arguments.delta", "response.function_call_arguments.done",
				"response.output_item.done", "response.completed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, body := b.post(t, "/v1/responses", tt.body)
			var names []string
			var last map[string]any
			for i, e := range parseEvents(t, body) {
				names = append(names, e.name)
				last = object(t, e.data)
				if last["type"] != e.name || last["sequence_number"] != float64(i) {
					t.Errorf("event %d is %s with data %.80s", i, e.name, e.data)
				}
			}
			if diff := cmp.Diff(tt.want, compact(names)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if dig(last, "response", "usage", "output_tokens") == nil {
				t.Errorf("the last event has no usage: %v", last)
			}
		})
	}
}

func TestMessagesStream(t *testing.T) {
	b := newBench(t, config{})
	_, body := b.post(t, "/v1/messages", `{"model":"claude-opus-5-5","max_tokens":99,"stream":true,"thinking":{"type":"adaptive"},
		"messages":[{"role":"user","content":"[[tokens=3]] [[reasoning=4]]"}]}`)
	var names []string
	var output any
	for _, e := range parseEvents(t, body) {
		names = append(names, e.name)
		data := object(t, e.data)
		if data["type"] != e.name {
			t.Errorf("event %s has data of type %v", e.name, data["type"])
		}
		switch e.name {
		case "message_start":
			if dig(data, "message", "usage", "input_tokens") == nil {
				t.Errorf("message_start has no input usage: %s", e.data)
			}
		case "message_delta":
			output = dig(data, "usage", "output_tokens")
			if dig(data, "delta", "stop_reason") != "end_turn" {
				t.Errorf("message_delta: %s", e.data)
			}
		}
	}
	want := []string{"message_start", "content_block_start", "ping", "content_block_delta", "content_block_stop",
		"content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"}
	if diff := cmp.Diff(want, compact(names)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if output != 7.0 {
		t.Errorf("output tokens in message_delta = %v, want 7", output)
	}
}

func TestGeminiStream(t *testing.T) {
	b := newBench(t, config{})
	const path, order = "/v1beta/models/gemini-2.5-flash:streamGenerateContent", `{"contents":[{"parts":[{"text":"[[tokens=20]] [[reasoning=4]]"}]}]}`
	_, body := b.post(t, path+"?alt=sse", order)
	if strings.Count(body, "\r\n\r\n") != strings.Count(body, "data: ") || strings.Contains(strings.ReplaceAll(body, "\r\n", ""), "\n") {
		t.Errorf("events do not end in CRLF: %q", body)
	}
	var last map[string]any
	for _, e := range parseEvents(t, strings.ReplaceAll(body, "\r\n", "\n")) {
		last = object(t, e.data)
		if dig(last, "usageMetadata", "promptTokenCount") == nil {
			t.Errorf("chunk without usage: %s", e.data)
		}
	}
	if dig(last, "usageMetadata", "candidatesTokenCount") != 20.0 || dig(last, "usageMetadata", "thoughtsTokenCount") != 4.0 ||
		dig(last, "candidates", 0, "finishReason") != "STOP" {
		t.Errorf("last chunk: %v", last)
	}
	_, body = b.post(t, path, order)
	list, _ := object(t, `{"list":`+body+`}`)["list"].([]any)
	if len(list) != 4 {
		t.Errorf("array of %d chunks, want 4: %s", len(list), body)
	}
}

func TestGzip(t *testing.T) {
	b := newBench(t, config{})
	for _, body := range []string{
		`{"model":"gpt-4o","messages":[{"role":"user","content":"[[tokens=3]]"}]}`,
		`{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"[[tokens=3]]"}]}`,
	} {
		_, plain := b.post(t, "/v1/chat/completions", body, "accept-encoding", "gzip")
		resp, err := http.DefaultClient.Do(b.request(t, t.Context(), "/v1/chat/completions", body, "accept-encoding", "gzip", "x-test-gzip", "1"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got := resp.Header.Get("content-encoding"); got != "gzip" {
			t.Fatalf("content-encoding %q, want gzip", got)
		}
		zip, err := gzip.NewReader(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(zip)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(got), "\n") != strings.Count(plain, "\n") {
			t.Errorf("decoded answer has other lines than the plain one:\n%s\n%s", got, plain)
		}
	}
}
