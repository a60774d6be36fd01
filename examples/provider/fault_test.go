package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const streamBody = `{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"[[tokens=400]]"}]}`

// A client leaves after the first event and five tokens: those and the overrun are billed.
func TestCancelledStreamIsBilled(t *testing.T) {
	for _, tt := range []struct {
		name, path, body string
		events           int // read before the client leaves
		output           int
	}{
		{"chat", "/v1/chat/completions", streamBody, 6, 25},
		{"messages", "/v1/messages", `{"model":"claude-opus-4-8","max_tokens":900,"stream":true,"messages":[{"role":"user","content":"[[tokens=400]]"}]}`, 8, 25},
		{"before any output", "/v1/chat/completions", streamBody, 0, 20},
		{"no more than there is", "/v1/chat/completions", strings.Replace(streamBody, "400", "9", 1), 6, 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{overrun: 20})
			b.faults.push(fault{stall: time.Hour, stallAt: tt.events}, 1)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			if tt.events == 0 {
				time.AfterFunc(50*time.Millisecond, leave)
			}
			resp, err := http.DefaultClient.Do(b.request(t, ctx, tt.path, tt.body))
			if tt.events > 0 {
				if err != nil {
					t.Fatal(err)
				}
				readEvents(t, resp.Body, tt.events)
				leave()
				resp.Body.Close()
			} else if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want a cancelled call", err)
			}
			got := b.awaitBill(t, 1)
			if !got.Cancelled || got.Usage.Output != tt.output || got.Usage.Input == 0 {
				t.Errorf("billed %+v, want a cancelled call with %d tokens of output", got, tt.output)
			}
			if want, err := b.models[got.Model].cost(got.Usage, "1"); err != nil || got.CostNanos != want {
				t.Errorf("cost %d, want %d (%v)", got.CostNanos, want, err)
			}
		})
	}
}

func readEvents(t *testing.T, r io.Reader, n int) {
	t.Helper()
	lines := bufio.NewReader(r)
	for n > 0 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\n" {
			n--
		}
	}
}

func TestFaults(t *testing.T) {
	const whole = `{"model":"gpt-4o","messages":[{"role":"user","content":"[[tokens=50]]"}]}`
	for _, tt := range []struct {
		name, fault, body string
		status            int
		broken            bool // the body ends early
		output            int  // billed; -1: unbilled
	}{
		{"none", "", whole, 200, false, 50},
		{"status", "status=500", whole, 500, false, -1},
		{"rate limit", "status=429", streamBody, 429, false, -1},
		{"JSON cut", "cut=10", whole, 200, true, 50},
		{"stream cut", "cut=4", streamBody, 200, true, 3},
		{"cut beyond the end", "cut=100000", whole, 200, false, 50},
		{"hang", "hang=1ms", whole, 200, false, 50},
		{"garbage", "garbage", whole, 200, false, 50},
		{"stall", "stall-after=10,1ms", whole, 200, false, 50},
		{"stream stall", "stall-after=10,1ms", streamBody, 200, false, 400},
		{"no such fault", "explode", whole, 400, false, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{overrun: 20})
			resp, err := http.DefaultClient.Do(b.request(t, t.Context(), "/v1/chat/completions", tt.body, "x-test-fault", tt.fault))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != tt.status || (err != nil) != tt.broken {
				t.Errorf("status %d, read error %v, want %d, broken %t", resp.StatusCode, err, tt.status, tt.broken)
			}
			if (tt.name == "garbage") == json.Valid(body) && tt.body == whole && !tt.broken {
				t.Errorf("body %q", body)
			}
			if tt.output < 0 {
				if _, sum := b.invoice.read(); sum.Calls != 0 {
					t.Errorf("billed %+v, want nothing", sum)
				}
				return
			}
			if got := b.awaitBill(t, 1); got.Usage.Output != tt.output || got.Cancelled != tt.broken {
				t.Errorf("billed %+v, want output %d, cancelled %t", got, tt.output, tt.broken)
			}
		})
	}
}

func TestUsageLeftOut(t *testing.T) {
	b := newBench(t, config{})
	for path, body := range map[string]string{
		"/v1/chat/completions": `{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}`,
		"/v1/responses":        `{"model":"gpt-4.1","stream":true,"input":"x"}`,
		"/v1/messages":         `{"model":"claude-opus-5-5","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}`,
		"/v1beta/models/gemini-2.5-flash:generateContent": `{"contents":[{"parts":[{"text":"x"}]}]}`,
	} {
		_, got := b.post(t, path, body, "x-test-no-usage", "1")
		for _, key := range []string{"prompt_tokens", "input_tokens", "promptTokenCount"} {
			if strings.Contains(got, key) {
				t.Errorf("%s: the answer has %s", path, key)
			}
		}
	}
}

func TestManyStreams(t *testing.T) {
	b := newBench(t, config{})
	const n = 200
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			resp, err := http.DefaultClient.Do(b.request(t, t.Context(), "/v1/chat/completions", strings.Replace(streamBody, "400", "20", 1)))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	calls, sum := b.invoice.read()
	var cost int64
	for _, c := range calls {
		cost += c.CostNanos
	}
	if sum.Calls != n || sum.CostNanos != cost || cost != n*calls[0].CostNanos {
		t.Errorf("total %+v of %d lines costing %d, want %d calls of %d", sum, len(calls), cost, n, calls[0].CostNanos)
	}
}

func TestOvershootIgnoresTheCap(t *testing.T) {
	b := newBench(t, config{})
	const body = `{"model":"gpt-4o","max_tokens":5,"messages":[{"role":"user","content":"[[tokens=50]]"}]}`
	if got := b.bill(t, "/v1/chat/completions", body, "x-test-overshoot", "1").Usage.Output; got != 50 {
		t.Errorf("%d tokens of output, want 50", got)
	}
	if got := b.bill(t, "/v1/chat/completions", body).Usage.Output; got != 5 {
		t.Errorf("without the header %d tokens of output, want 5", got)
	}
}
