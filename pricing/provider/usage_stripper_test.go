package provider_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing/provider"
)

// strip passes a stream in pieces of at most size bytes.
func strip(stream []byte, size int) string {
	var s provider.UsageStripper
	var out []byte
	for piece := range slices.Chunk(stream, size) {
		out = append(out, s.Write(piece)...)
	}
	return string(append(out, s.Close()...))
}

const (
	contentChunk = `data: {"id":"a","choices":[{"index":0,"delta":{"content":"\"choices\":[]é"}}],"usage":null}` + "\n\n"
	usageChunk   = `data: {"id":"a","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"x":{"y":[]}}}` + "\n\n"
	doneEvent    = "data: [DONE]\n\n"
)

func TestUsageStripperTakesOutTheUsageChunkOnly(t *testing.T) {
	filters := `data: {"choices":[],"id":"","prompt_filter_results":[{"prompt_index":0}]}` + "\n\n"
	for _, tt := range []struct{ name, in, want string }{
		{"OpenAI", contentChunk + usageChunk + doneEvent, contentChunk + doneEvent},
		{"Azure's first chunk stays", filters + contentChunk + usageChunk + doneEvent, filters + contentChunk + doneEvent},
		{"usage beside choices stays", `data: {"choices":[{"index":0}],"usage":{"prompt_tokens":1}}` + "\n\n", `data: {"choices":[{"index":0}],"usage":{"prompt_tokens":1}}` + "\n\n"},
		{"an empty chunk without usage stays", `data: {"choices":[],"usage":null}` + "\n\n", `data: {"choices":[],"usage":null}` + "\n\n"},
		{"usage first", `data: {"usage":{"a":1},"choices": [ ] }` + "\n\n" + doneEvent, doneEvent},
		{"comments stay", ": OPENROUTER PROCESSING\n\n" + ": x\n" + usageChunk + ":y\n\n", ": OPENROUTER PROCESSING\n\n: x\n:y\n\n"},
		{"two data lines", "data: {\"choices\":[],\ndata: \"usage\":{}}\n\n" + doneEvent, doneEvent},
		{"an event's name goes with it", "event: chunk\nid: 7\n" + usageChunk + "event: z\n" + doneEvent, "event: z\n" + doneEvent},
		{"no empty line at the end", contentChunk + strings.TrimRight(usageChunk, "\n"), contentChunk},
		{"a cut chunk stays", contentChunk + usageChunk[:60], contentChunk + usageChunk[:60]},
		{"text that quotes it", `data: {"choices":[{"delta":{"content":"data: {\"choices\":[],\"usage\":{}}\n\n"}}]}` + "\n\n", `data: {"choices":[{"delta":{"content":"data: {\"choices\":[],\"usage\":{}}\n\n"}}]}` + "\n\n"},
		{"a plain body", `{"choices":[],"usage":{}}`, `{"choices":[],"usage":{}}`},
		{"bare JSON after a name", "event: x\n{\"choices\":[],\"usage\":{}}\n\n", "event: x\n{\"choices\":[],\"usage\":{}}\n\n"},
		{"keys that come twice", `data: {"choices":[],"usage":{},"usage":{}}` + "\n\n", `data: {"choices":[],"usage":{},"usage":{}}` + "\n\n"},
		{"no JSON", "data: {\"choices\":[],\"usage\":{}}x\n\n", "data: {\"choices\":[],\"usage\":{}}x\n\n"},
		{"an event too long for it", `data: {"choices":[],"usage":{},"x":"` + strings.Repeat("x", 70_000) + "\"}\n\n", `data: {"choices":[],"usage":{},"x":"` + strings.Repeat("x", 70_000) + "\"}\n\n"},
		{"nothing", "", ""},
	} {
		for _, ends := range []string{"\n", "\r\n", "\r"} {
			in, want := strings.ReplaceAll(tt.in, "\n", ends), strings.ReplaceAll(tt.want, "\n", ends)
			for _, size := range []int{1, 2, 7, 64, 1 << 20} {
				if diff := cmp.Diff(want, strip([]byte(in), size)); diff != "" {
					t.Errorf("%s, lines end with %q, pieces of %d (-want +got):\n%s", tt.name, ends, size, diff)
				}
			}
		}
	}
}

func TestUsageStripperHoldsBackNothingElse(t *testing.T) {
	for _, tt := range []struct{ piece, want string }{
		{contentChunk, contentChunk},
		{`data: {"id":"a","choices":[{"index":0,`, `data: {"id":"a","choices":[{"index":0,`},
		{"data: [DO", "data: [DO"},
		{`data: {"usage":null,`, `data: {"usage":null,`},
		{": keep-alive\n", ": keep-alive\n"},
		{contentChunk + `data: {"id":"a","choices":[],"usage":{`, contentChunk},
	} {
		var s provider.UsageStripper
		if diff := cmp.Diff(tt.want, string(s.Write([]byte(tt.piece)))); diff != "" {
			t.Errorf("Write(%q) (-want +got):\n%s", tt.piece, diff)
		}
	}
}

func TestUsageStripperClosesBesideWhatItWrote(t *testing.T) {
	var s provider.UsageStripper
	written := s.Write([]byte(contentChunk + `data: {"id":"a"`))
	if got, want := string(append(written, s.Close()...)), contentChunk+`data: {"id":"a"`; got != want {
		t.Errorf("Write and Close return %q, want %q", got, want)
	}
}

func FuzzUsageStripperIsTheSameForAnySplit(f *testing.F) {
	for _, stream := range []string{contentChunk + usageChunk + doneEvent, ": c\r\n\r\n" + usageChunk, "event: a\r" + usageChunk, "data:{\n{\ndata:"} {
		f.Add([]byte(stream), 3)
		f.Add([]byte(strings.ReplaceAll(stream, "\n", "\r\n")), 1)
		f.Add([]byte(strings.ReplaceAll(stream, "\n", "\r")), 2)
	}
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		if size < 1 {
			return
		}
		whole := strip(stream, max(len(stream), 1))
		if pieces := strip(stream, size); pieces != whole {
			t.Fatalf("%q in pieces of %d: %q, whole: %q", stream, size, pieces, whole)
		}
		if len(whole) == len(stream) && whole != string(stream) {
			t.Fatalf("%q became %q", stream, whole)
		}
		if !subsequence([]byte(whole), stream) {
			t.Fatalf("%q became %q, which is not a part of it", stream, whole)
		}
	})
}

func subsequence(part, whole []byte) bool {
	for _, c := range part {
		i := bytes.IndexByte(whole, c)
		if i < 0 {
			return false
		}
		whole = whole[i+1:]
	}
	return true
}
