package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// meterClock is the moment that records without one of their own are priced at.
func meterClock() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// runMeterOn returns what farebox meter prints for the input.
func runMeterOn(t *testing.T, in io.Reader) (out string, status int) {
	t.Helper()
	var stdout, stderr strings.Builder
	status = runMeter(t.Context(), nil, env{in, &stdout, &stderr, meterClock})
	t.Logf("stderr: %s", &stderr)
	return stdout.String(), status
}

// quoted returns s as a JSON string.
func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const chatURL = `"url":"https://api.openai.com/v1/chat/completions"`

// gpt4o is a response whose model has the price of gpt-4o: 2.5, 1.25 and 10 dollars per million tokens.
const gpt4o = `{"model":"gpt-4o-2024-08-06","choices":[{"message":{"content":"12345"},"finish_reason":"stop"}],` +
	`"usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":400}}}`

func TestMeterPricesRecords(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     map[string]any // keys of the output that matter here
	}{
		{"a plain answer", `{"id":"a",` + chatURL + `,"body":` + quoted(t, gpt4o) + `}`, map[string]any{
			"id": "a", "provider": "openai", "api": "openai_chat", "model": "gpt-4o-2024-08-06", "cost_usd": "0.003000000",
			"usage": map[string]any{"input": 600.0, "cache_read": 400.0, "cache_write_short": 0.0, "cache_write_long": 0.0, "output": 100.0, "reasoning": 0.0},
			"price": map[string]any{"model": "gpt-4o", "input": "2.5", "cache_read": "1.25", "cache_write_short": "2.5", "cache_write_long": "2.5", "output": "10",
				"source": "litellm@2026-08-01+genai-prices@2026-08-21+llm-prices@2026-08-05", "as_of": "2026-08-21"}}},
		{"a body that is JSON itself", `{"id":7,` + chatURL + `,"body":` + gpt4o + `}`, map[string]any{"id": 7.0, "cost_usd": "0.003000000"}},
		{"a body in base64", `{` + chatURL + `,"body_encoding":"base64","body":"eyJtb2RlbCI6ImdwdC00by1taW5pIiwidXNhZ2UiOnsicHJvbXB0X3Rva2VucyI6MTAwMCwiY29tcGxldGlvbl90b2tlbnMiOjB9fQ=="}`,
			map[string]any{"id": nil, "model": "gpt-4o-mini", "cost_usd": "0.000150000"}},
		{"a snapshot with a price of its own", `{` + chatURL + `,"body":{"model":"gpt-4o-2024-05-13","usage":{"prompt_tokens":1000,"completion_tokens":0}}}`,
			map[string]any{"cost_usd": "0.005000000"}},
		{"the rates for long prompts", `{` + chatURL + `,"body":{"model":"gpt-5.4","usage":{"prompt_tokens":272001,"completion_tokens":0}}}`,
			map[string]any{"cost_usd": "1.360005000"}},
		{"the requested model where the response names none", `{"model":"gpt-4o",` + chatURL + `,"body":{"usage":{"prompt_tokens":1000,"completion_tokens":0}}}`,
			map[string]any{"model": "gpt-4o", "cost_usd": "0.002500000"}},
		{"the requested model's price where the response's has none", `{"model":"gpt-4o",` + chatURL + `,"body":{"model":"base-7","usage":{"prompt_tokens":1000,"completion_tokens":0}}}`,
			map[string]any{"model": "base-7", "cost_usd": "0.002500000"}},
		{"a model in the path", `{"url":"https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent","body":{"usageMetadata":{"promptTokenCount":1000,"totalTokenCount":1000}}}`,
			map[string]any{"provider": "google", "api": "gemini_generate_content", "model": "gemini-2.5-flash", "cost_usd": "0.000300000"}},
		{"a path alone is the vendor's", `{"url":"/v1/messages","body":{"model":"claude-sonnet-4-5-20250929","usage":{"input_tokens":1000,"output_tokens":10}}}`,
			map[string]any{"provider": "anthropic", "api": "anthropic_messages", "cost_usd": "0.003150000"}},
		{"a compatible host has its own prices", `{"url":"api.deepseek.com/chat/completions","body":{"model":"no-such","usage":{"prompt_tokens":1,"completion_tokens":0}}}`,
			map[string]any{"provider": "deepseek", "cost_usd": nil, "error": `no price for model "no-such" of provider "deepseek"`}},
		{"an unknown model has no cost", `{` + chatURL + `,"body":{"model":"x","usage":{"prompt_tokens":1,"completion_tokens":0}}}`,
			map[string]any{"cost_usd": nil, "price": nil, "error": `no price for model "x" of provider "openai"`}},
		{"no model at all", `{` + chatURL + `,"body":{"usage":{"prompt_tokens":1,"completion_tokens":0}}}`,
			map[string]any{"cost_usd": nil, "error": "neither the response nor the record names the model"}},
		{"an error is not billed", `{` + chatURL + `,"status":429,"body":"slow down"}`,
			map[string]any{"cost_usd": "0.000000000", "estimated": nil, "error": nil}},
		{"an error without its status is not billed", `{` + chatURL + `,"model":"gpt-4o","body":{"error":{"message":"no"}}}`,
			map[string]any{"cost_usd": "0.000000000", "estimated": nil, "error": nil}},
		{"a stream without usage is estimated", `{` + chatURL + `,"body":` +
			quoted(t, "data: {\"model\":\"gpt-4o\",\"choices\":[{\"delta\":{\"content\":\"12345\"}}]}\n\ndata: [DONE]\n\n") + `}`,
			map[string]any{"cost_usd": "0.000020000", "estimated": true, "error": nil}},
		{"nothing to estimate from", `{` + chatURL + `,"model":"gpt-4o","body":"<html>"}`,
			map[string]any{"cost_usd": nil, "estimated": true, "error": "the response states no usage, and has no text to estimate from"}},
	} {
		t.Run(tt.name, func(t *testing.T) { meters(t, tt.in, tt.want) })
	}
}

// meters checks values of what is printed of one record.
func meters(t *testing.T, record string, wanted map[string]any) {
	t.Helper()
	out, status := runMeterOn(t, strings.NewReader(record))
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != statusOK {
		t.Fatalf("status %d, output %q: %v", status, out, err)
	}
	for key, want := range wanted {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", key, out, diff)
		}
	}
}

func TestMeterPricesAtTheMomentOfTheCall(t *testing.T) {
	const body = `"url":"https://api.deepseek.com/chat/completions","body":{"model":"deepseek-flash","usage":{"prompt_tokens":1000000,"completion_tokens":0}}`
	out, _ := runMeterOn(t, strings.NewReader(`{"at":"2026-11-18T12:00:00Z",`+body+"}\n"+`{"at":"2026-11-18T09:00:00+07:00",`+body+"}"))
	var costs []string
	for line := range strings.Lines(out) {
		var m struct {
			CostUSD string `json:"cost_usd"`
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("output %q: %v", line, err)
		}
		costs = append(costs, m.CostUSD)
	}
	if len(costs) != 2 || costs[0] == costs[1] || costs[0] == "" {
		t.Errorf("costs off and on peak: got %q, want two that differ", costs)
	}
}

func TestMeterGoesOnAfterABadRecord(t *testing.T) {
	in := strings.Join([]string{
		`{"id":1`, `[]`, "", `{"id":"a"}`, `{"id":"b","url":"/v1/files","body":"x"}`, `{"id":"c",` + chatURL + `}`,
		`{"id":"d",` + chatURL + `,"body":"?","body_encoding":"base64"}`, `{"id":"e",` + chatURL + `,"body":"x","body_encoding":"hex"}`,
		`{"id":"f",` + chatURL + `,"body":"x","at":"yesterday"}`, `{"id":"g","url":"https://[","body":"x"}`,
		`{"id":"h",` + chatURL + `,"body":` + gpt4o + `}`,
	}, "\r\n")
	want := []string{
		`null line 1: unexpected end of JSON input`,
		`null line 2: json: cannot unmarshal array into Go value of type main.record`,
		`"a" url is missing`,
		`"b" no API that farebox reads at url "/v1/files"`,
		`"c" body is missing`,
		`"d" body: illegal base64 data at input byte 0`,
		`"e" body_encoding "hex": want base64 or none`,
		`"f" at: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`,
		`"g" parse "https://[": missing ']' in host`,
		`"h" `,
	}
	out, status := runMeterOn(t, strings.NewReader(in))
	var got []string
	for line := range strings.Lines(out) {
		var m metered
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("output %q: %v", line, err)
		}
		got = append(got, string(m.ID)+" "+m.Error)
	}
	if diff := cmp.Diff(want, got); diff != "" || status != statusOK {
		t.Errorf("status %d, ids and errors (-want +got):\n%s", status, diff)
	}
}

func TestMeterFailsOnUnreadableInput(t *testing.T) {
	if _, status := runMeterOn(t, iotest.ErrReader(errors.New("unplugged"))); status != statusFailed {
		t.Errorf("status: got %d, want %d", status, statusFailed)
	}
	var discard strings.Builder
	if status := runMeter(t.Context(), []string{"file"}, env{strings.NewReader(""), &discard, &discard, meterClock}); status != statusUsage {
		t.Errorf("status with an argument: got %d, want %d", status, statusUsage)
	}
}
