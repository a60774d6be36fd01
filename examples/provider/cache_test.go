package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const marker5m = `,"cache_control":{"type":"ephemeral"}`
const marker1h = `,"cache_control":{"type":"ephemeral","ttl":"1h"}`

// messagesBody has a system block of n+4 tokens with a marker, and a question of eight tokens with the opening.
func messagesBody(model string, n int, marker string) string {
	return fmt.Sprintf(`{"model":%q,"max_tokens":1,"system":[{"type":"text","text":%q%s}],"messages":[{"role":"user","content":"hello"}]}`,
		model, filler(n, 0), marker)
}

// A step is one call of a cache scenario.
type step struct {
	advance time.Duration
	path    string
	body    string
	key     string // credential; empty is the usual one
	want    usage
}

func TestCache(t *testing.T) {
	const claude, chat, gemini = "/v1/messages", "/v1/chat/completions", "/v1beta/models/gemini-2.5-flash:generateContent"
	long := messagesBody("claude-opus-4-8", 1100, marker5m)
	write, read := usage{Input: 8, WriteShort: 1104, Output: 1}, usage{Input: 8, CacheRead: 1104, Output: 1}
	chatBody := func(model, key, question, mark string) string {
		limit := "max_tokens"
		if strings.HasPrefix(model, "gpt-5") {
			limit = "max_completion_tokens"
		}
		return fmt.Sprintf(`{"model":%q,%q:1,"prompt_cache_key":%q,"messages":[{"role":"system","content":[{"type":"text","text":%q%s}]},{"role":"user","content":%q}]}`,
			model, limit, key, filler(1100, 0), mark, question)
	}
	geminiBody := fmt.Sprintf(`{"generationConfig":{"maxOutputTokens":1},"contents":[{"parts":[{"text":%q}]}]}`, filler(1100, 0))
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"a marker writes, then reads; each hit renews it, then it expires", []step{
			{path: claude, body: long, want: write},
			{path: claude, body: long, want: read},
			{advance: 4 * time.Minute, path: claude, body: long, want: read},
			{advance: 4 * time.Minute, path: claude, body: long, want: read},
			{advance: 5 * time.Minute, path: claude, body: long, want: write},
		}},
		{"an hour marker lasts an hour", []step{
			{path: claude, body: messagesBody("claude-opus-4-8", 1100, marker1h), want: usage{Input: 8, WriteLong: 1104, Output: 1}},
			{advance: 59 * time.Minute, path: claude, body: long, want: read},
			{advance: 61 * time.Minute, path: claude, body: long, want: write},
		}},
		{"caches are apart by model and by credential", []step{
			{path: claude, body: long, want: write},
			{path: claude, body: messagesBody("claude-sonnet-5", 1100, marker5m), want: write},
			{path: claude, body: long, key: "somebody else", want: write},
		}},
		{"below the minimum nothing is cached", []step{
			{path: claude, body: messagesBody("claude-opus-4-8", 1019, marker5m), want: usage{Input: 1031, Output: 1}},
			{path: claude, body: messagesBody("claude-opus-4-8", 1020, marker5m), want: usage{Input: 8, WriteShort: 1024, Output: 1}},
			{path: claude, body: messagesBody("claude-haiku-4-5", 1100, marker5m), want: usage{Input: 1112, Output: 1}},
		}},
		{"without a marker nothing is cached", []step{
			{path: claude, body: messagesBody("claude-opus-4-8", 1100, ""), want: usage{Input: 1112, Output: 1}},
			{path: claude, body: messagesBody("claude-opus-4-8", 1100, ""), want: usage{Input: 1112, Output: 1}},
		}},
		{"tool_choice loses the messages' cache, not the system's", []step{
			{path: claude, body: topLevel(long, ""), want: usage{Input: 3, WriteShort: 1109, Output: 1}},
			{path: claude, body: topLevel(long, ""), want: usage{Input: 3, CacheRead: 1109, Output: 1}},
			{path: claude, body: topLevel(long, `"tool_choice":{"type":"auto"},`), want: usage{Input: 3, CacheRead: 1104, WriteShort: 5, Output: 1}},
		}},
		{"steps of 128 with a routing key", []step{
			{path: chat, body: chatBody("gpt-4o", "k", "hello", ""), want: usage{Input: 1112, Output: 1}},
			{path: chat, body: chatBody("gpt-4o", "k", "bye", ""), want: usage{Input: 88, CacheRead: 1024, Output: 1}},
			{path: chat, body: chatBody("gpt-4o", "other", "bye", ""), want: usage{Input: 1112, Output: 1}},
			{advance: 11 * time.Minute, path: chat, body: chatBody("gpt-4o", "k", "bye", ""), want: usage{Input: 1112, Output: 1}},
		}},
		{"models from before caching do not cache", []step{
			{path: chat, body: chatBody("gpt-4o-2024-05-13", "k", "hello", ""), want: usage{Input: 1112, Output: 1}},
			{path: chat, body: chatBody("gpt-4o-2024-05-13", "k", "hello", ""), want: usage{Input: 1112, Output: 1}},
		}},
		{"gpt-5.6 writes the newest message's end and reads it exactly", []step{
			{path: chat, body: chatBody("gpt-5.6-luna", "k", "hello", ""), want: usage{Input: 3, WriteShort: 1109, Output: 1}},
			{path: chat, body: chatBody("gpt-5.6-luna", "k", "hello", ""), want: usage{Input: 3, CacheRead: 1109, Output: 1}},
			{path: chat, body: chatBody("gpt-5.6-luna", "k", "bye", ""), want: usage{Input: 3, WriteShort: 1109, Output: 1}},
		}},
		{"gpt-5.6 shares a system prompt at an explicit breakpoint", []step{
			{path: chat, body: chatBody("gpt-5.6-luna", "k", "hello", `,"prompt_cache_breakpoint":{"mode":"explicit"}`), want: usage{Input: 3, WriteShort: 1109, Output: 1}},
			{path: chat, body: chatBody("gpt-5.6-luna", "k", "bye", `,"prompt_cache_breakpoint":{"mode":"explicit"}`), want: usage{Input: 3, CacheRead: 1104, WriteShort: 5, Output: 1}},
			{advance: 29 * time.Minute, path: chat, body: chatBody("gpt-5.6-luna", "k", "bye", ""), want: usage{Input: 3, CacheRead: 1109, Output: 1}},
		}},
		{"gemini caches by itself", []step{
			{path: gemini, body: geminiBody, want: usage{Input: 1107, Output: 1}},
			{path: gemini, body: geminiBody, want: usage{Input: 83, CacheRead: 1024, Output: 1}},
			{path: strings.Replace(gemini, "flash", "pro", 1), body: geminiBody, want: usage{Input: 1107, Output: 1}},
			{path: strings.Replace(gemini, "flash", "pro", 1), body: geminiBody, want: usage{Input: 1107, Output: 1}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{})
			for i, st := range tt.steps {
				b.clock.advance(st.advance)
				var headers []string
				if st.key != "" {
					headers = []string{"x-api-key", st.key}
				}
				if diff := cmp.Diff(st.want, b.bill(t, st.path, st.body, headers...).Usage); diff != "" {
					t.Fatalf("call %d (-want +got):\n%s", i+1, diff)
				}
			}
		})
	}
}

// topLevel adds automatic caching, and other members, to a body.
func topLevel(body, more string) string {
	return `{` + more + `"cache_control":{"type":"ephemeral"},` + body[1:]
}

func TestMixedLifetimes(t *testing.T) {
	b := newBench(t, config{})
	body := topLevel(messagesBody("claude-opus-4-8", 1100, marker1h), "")
	want := usage{Input: 3, WriteLong: 1104, WriteShort: 5, Output: 1}
	if got := b.bill(t, "/v1/messages", body).Usage; got != want {
		t.Errorf("first call: %+v, want %+v", got, want)
	}
	b.clock.advance(10 * time.Minute)
	want = usage{Input: 3, CacheRead: 1104, WriteShort: 5, Output: 1}
	if got := b.bill(t, "/v1/messages", body).Usage; got != want {
		t.Errorf("after ten minutes: %+v, want %+v", got, want)
	}
}

// A breakpoint finds an entry 19 blocks back, and not one 20 blocks back.
func TestLookback(t *testing.T) {
	turns := func(blocks int) string {
		parts := []string{fmt.Sprintf(`{"type":"text","text":%q}`, filler(1100, 0))}
		for range blocks {
			parts = append(parts, `{"type":"text","text":"hello"}`)
		}
		last := len(parts) - 1
		parts[last] = parts[last][:len(parts[last])-1] + marker5m + "}"
		return `{"model":"claude-opus-4-8","max_tokens":1,"messages":[{"role":"user","content":[` + strings.Join(parts, ",") + `]}]}`
	}
	for _, tt := range []struct{ more, read int }{{19, 1104}, {20, 0}} {
		b := newBench(t, config{})
		b.bill(t, "/v1/messages", turns(0))
		if got := b.bill(t, "/v1/messages", turns(tt.more)).Usage.CacheRead; got != tt.read {
			t.Errorf("%d blocks later: read %d, want %d", tt.more, got, tt.read)
		}
	}
}

// Calls that run at the same time all pay for the write: an entry exists once an answer has begun.
func TestWritesAreReadableOnceTheAnswerBegins(t *testing.T) {
	b := newBench(t, config{})
	w := b.promptWriter(b.models["claude-opus-4-8"])
	w.text(filler(1100, 0))
	w.end(blockSystem, shortLife)
	r := cacheRequest{model: b.models["claude-opus-4-8"], caller: "k", prompt: w.finish()}
	first, second := b.cache.plan(r), b.cache.plan(r)
	first.publish()
	third := b.cache.plan(r)
	if first.writeShort != 1100 || second.writeShort != 1100 || third.read != 1100 {
		t.Errorf("first writes %d, second writes %d, third reads %d, want 1100 each", first.writeShort, second.writeShort, third.read)
	}
}

// Without a key about half of the repeats land on the machine that knows the prompt.
func TestRoutingWithoutKey(t *testing.T) {
	b := newBench(t, config{})
	body := fmt.Sprintf(`{"model":"gpt-4o","max_tokens":1,"messages":[{"role":"user","content":%q}]}`, filler(1100, 0))
	hits := 0
	for range 100 {
		if b.bill(t, "/v1/chat/completions", body).Usage.CacheRead > 0 {
			hits++
		}
	}
	if hits < 30 || hits > 75 {
		t.Errorf("%d of 100 repeats hit, want about half", hits)
	}
}
