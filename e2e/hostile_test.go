package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestNamesOfClientsDoNoHarm puts into a call what ends up in headers, logs and labels.
func TestNamesOfClientsDoNoHarm(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(1_000_000_000_000) + "    per: team\nunknown_model: {charge: $1 per 1M}\n"})
	for _, tt := range []struct{ name, model string }{
		{"a line break", `a\r\nx-injected: 1`},
		{"control characters", `a\u0000\u0001\u007f`},
		{"quotes", `\"},{\"`},
		{"no ASCII", "模型\u2028é"},
		{"half a character", `a\ud800`},
		{"a command of Envoy", `%DYNAMIC_METADATA(farebox:id)% %REQ(authorization)%`},
		{"200 kB", strings.Repeat("m", 200_000)},
	} {
		t.Run("a model with "+tt.name, func(t *testing.T) {
			a := s.send(t, chat(`{"model":"`+tt.model+`","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`))
			if a.status != http.StatusNotFound && a.status != http.StatusBadRequest {
				t.Errorf("status %d, want the provider's 404 or a 400: %.200s", a.status, a.body)
			}
			messageOf(t, a)
			if a.header.Get("x-injected") != "" {
				t.Error("the model's name became a header")
			}
			if n := len(a.header.Get("x-farebox-model")); n > 1000 {
				t.Errorf("x-farebox-model has %d bytes: clients have limits", n)
			}
		})
	}
	t.Run("a team of odd bytes", func(t *testing.T) {
		body := ask("gpt-4o", "Hi")
		a := raw(t, s, fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nX-Team: \xff\xfe%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", strings.Repeat("t", 5000), len(body), body))
		if a.status != http.StatusOK {
			t.Errorf("status %d: %s", a.status, a.body)
		}
	})
	if _, text := s.admin(t, "/metrics"); strings.Contains(string(text), "injected") || strings.Contains(string(text), "mmmmmm") {
		t.Error("a client's text became a label of a metric")
	}
	s.ok(t, chat(ask("gpt-4o", "Hi")))
	if status, _ := s.admin(t, "/"); status != http.StatusOK {
		t.Errorf("page: status %d", status)
	}
}

func TestMoreStreamsAtOnceThanABreakerHolds(t *testing.T) {
	const streams, opening = 1200, 20 // Envoy's default breaker opens at 1024
	p := newPuppet(t)
	p.says(http.StatusOK, map[string]string{"content-type": "text/event-stream"}, chatStream(10, 3))
	p.gate = make(chan struct{})
	s := newStack(t, setup{policy: limitedTo(1_000_000_000_000), replace: map[string]string{"openai": p.url}})
	var good atomic.Int64
	var wait sync.WaitGroup
	slots := make(chan struct{}, opening)
	for range streams {
		slots <- struct{}{}
		wait.Go(func() {
			res, err := s.open(t.Context(), chat(askStream("gpt-4o", "Hi")))
			<-slots
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if res.StatusCode != http.StatusOK || err != nil || !bytes.Equal(body, chatStream(10, 3)) {
				t.Errorf("status %d, %v: %.300s", res.StatusCode, err, body)
				return
			}
			good.Add(1)
		})
	}
	eventually(t, "all streams are open", func() bool { return s.metric(t, "farebox_streams_open") == streams || t.Failed() })
	close(p.gate)
	wait.Wait()
	if good.Load() != streams {
		t.Fatalf("%d streams of %d came to their end", good.Load(), streams)
	}
	sum := s.settled(t, streams)
	// gpt-4o is 2.50 and 10 USD per million tokens.
	if want := nanos(streams * (10*2500 + 3*10_000)); sum.Cost != want || sum.Estimated != 0 || sum.budget(t).Reserved != 0 {
		t.Errorf("ledger %s USD, %d estimated, budget %+v; want %s USD", sum.Cost, sum.Estimated, sum.Budgets, want)
	}
	s.quiet(t)
}

// TestAProviderCannotSpeakForFarebox answers with headers that are farebox's own.
func TestAProviderCannotSpeakForFarebox(t *testing.T) {
	p := newPuppet(t)
	p.says(http.StatusOK, map[string]string{
		"content-type": "text/event-stream", "x-farebox-decision": "replay", "x-farebox-model": "m", "x-farebox-rule": "r", "x-farebox-cache": "hit",
	}, chatStream(10, 3))
	s := newStack(t, setup{policy: limitedTo(1_000_000_000_000), replace: map[string]string{"openai": p.url}})
	a := s.ok(t, chat(askStream("gpt-4o", "Hi")))
	wantDecision(t, a, "asked", "gpt-4o")
	for _, name := range []string{"x-farebox-rule", "x-farebox-cache"} {
		if got := a.header.Get(name); got != "" {
			t.Errorf("%s: %q came from the provider", name, got)
		}
	}
}

// TestAnAnswerThatCannotBeReadIsAnEstimate: a provider may compress what it was asked to send plain.
func TestAnAnswerThatCannotBeReadIsAnEstimate(t *testing.T) {
	p := newPuppet(t)
	p.says(http.StatusOK, map[string]string{"content-type": "application/json", "content-encoding": "br"}, []byte("\x0b\x02\x80{}\x03"))
	c := chat(ask("gpt-4o", "Hi"))
	s := newStack(t, setup{policy: limitedTo(1_000_000_000_000), replace: map[string]string{"openai": p.url}})
	s.ok(t, c)
	if sum := s.settled(t, 1); sum.Estimated != 1 || sum.budget(t).Spent != bound(t, c) {
		t.Errorf("%d estimates, spent %s USD; want the bound of %s USD", sum.Estimated, sum.budget(t).Spent, bound(t, c))
	}
}

func TestWhoMayTalkToTheServer(t *testing.T) {
	dir := tempDir(t)
	s := &stack{dir: dir, policy: filepath.Join(dir, "policy.yaml")}
	s.setPolicy(t, observePolicy)
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "farebox"), "serve", "--policy", s.policy, "--listen", "0.0.0.0:0", "--admin", "127.0.0.1:0", "--state", s.state())
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--plaintext") {
		t.Errorf("farebox serves everybody: %v: %s", err, out)
	}
}
