package main

import (
	"strings"
	"testing"
)

func TestPiecesAreTokens(t *testing.T) {
	count, err := newCounter()
	if err != nil {
		t.Fatal(err)
	}
	ask := ask{tools: []string{"f"}, limit: -1}
	models, _, err := loadModels()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"[[tokens=300]]", "[[tool]]", "anything", "[[tokens=0]]", "intent"} {
		ask.lastUser, ask.system = text, text
		for i := range 20 {
			a := ask.generate(3, models["gpt-4o"], digest{byte(i)}, i)
			if got := len(count.encode(a.text())); got != len(a.pieces) {
				t.Errorf("%s: %q is %d tokens, billed as %d", text, a.text(), got, len(a.pieces))
			}
		}
	}
}

func TestGenerate(t *testing.T) {
	models, _, err := loadModels()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name              string
		ask               ask
		output, reasoning int // output -1: 40 to 200
		stop              stopReason
	}{
		{"plain", ask{lastUser: "hello", limit: -1}, -1, 0, stopEnd},
		{"intent gets a label", ask{system: "find the intent", lastUser: "hello", limit: -1}, 2, 0, stopEnd},
		{"tokens are ordered", ask{lastUser: "[[tokens=7]]", limit: -1}, 7, 0, stopEnd},
		{"a limit cuts", ask{lastUser: "[[tokens=7]]", limit: 5}, 5, 0, stopLength},
		{"a limit that is reached does not cut", ask{lastUser: "[[tokens=7]]", limit: 7}, 7, 0, stopEnd},
		{"reasoning adds", ask{lastUser: "[[tokens=7]] [[reasoning=9]]", reasons: true, limit: -1}, 16, 9, stopEnd},
		{"only where it can be asked for", ask{lastUser: "[[tokens=7]] [[reasoning=9]]", limit: -1}, 7, 0, stopEnd},
		{"reasoning uses the limit first", ask{lastUser: "[[tokens=7]] [[reasoning=9]]", reasons: true, limit: 8}, 8, 8, stopLength},
		{"nothing but a warm cache", ask{lastUser: "hello", limit: 0}, 0, 0, stopLength},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := tt.ask.generate(1, models["gpt-4o"], digest{1}, 0)
			output, reasoning := outputOf([]answer{a})
			if tt.output < 0 && output >= 40 && output <= 200 {
				tt.output = output
			}
			if output != tt.output || reasoning != tt.reasoning || a.stop != tt.stop {
				t.Errorf("output %d, reasoning %d, stop %d, want %d, %d, %d", output, reasoning, a.stop, tt.output, tt.reasoning, tt.stop)
			}
			if again := tt.ask.generate(1, models["gpt-4o"], digest{1}, 0); again.text() != a.text() {
				t.Errorf("second answer %q differs from %q", again.text(), a.text())
			}
		})
	}
}

func TestEncodeInPiecesEqualsWhole(t *testing.T) {
	count, err := newCounter()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("The customer's order no. 12345 is late; we refunded 7.50 EUR.\n", 400)
	whole, _, err := count.codec.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(count.encode(text)); got != len(whole) {
		t.Errorf("%d tokens, want %d", got, len(whole))
	}
	for _, text := range []string{strings.Repeat("a", 20_000), strings.Repeat("é", 20_000), strings.Repeat("\xff", 20_000), strings.Repeat(" ", 20_000)} {
		if got := len(count.encode(text)); got == 0 || got > 4*len(text) {
			t.Errorf("%.8q...: %d tokens", text, got)
		}
	}
}

func TestOutputUpTo(t *testing.T) {
	answers := []answer{{reasoning: 5, pieces: make([]string, 10)}, {reasoning: 3, pieces: make([]string, 4)}}
	for _, tt := range []struct{ n, output, reasoning int }{{0, 0, 0}, {4, 4, 4}, {9, 9, 5}, {17, 17, 7}, {20, 20, 8}, {99, 22, 8}} {
		if output, reasoning := outputUpTo(answers, tt.n); output != tt.output || reasoning != tt.reasoning {
			t.Errorf("after %d tokens: output %d, reasoning %d, want %d, %d", tt.n, output, reasoning, tt.output, tt.reasoning)
		}
	}
}
