package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden report")

// agreed are books that agree with what clients saw.
func agreed(t *testing.T) (*books, *tally) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	b := &books{invoice: total{Calls: 1300, Nanos: 8_759_196_545}, pool: total{Calls: 600}}
	if err := json.Unmarshal(text, &b.ledger); err != nil {
		t.Fatal(err)
	}
	return b, &tally{
		calls: 3060, repeats: 1144, refused: map[string]int{"labs": 36},
		decisions: map[string]int{"asked": 110, "tier": 1190, "pool": 600, "replay": 1124},
	}
}

func TestReport(t *testing.T) {
	b, seen := agreed(t)
	var out bytes.Buffer
	b.print(&out, seen)
	b.printVerdict(&out, b.mismatch(seen))
	golden := filepath.Join("testdata", "report.txt")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestWhatDiffersIsSaid(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*books, *tally)
		want   string
	}{
		{"a nano-dollar", func(b *books, _ *tally) { b.invoice.Nanos++ }, "differ by USD -0.000000001"},
		{"a call that nobody made", func(b *books, _ *tally) { b.invoice.Calls++ }, "the invoice has 1301 calls"},
		{"a call that the pool did not serve", func(_ *books, s *tally) { s.decisions["pool"]++ }, "the pool served 600 calls"},
		{"a credential at the pool", func(b *books, _ *tally) { b.pool.Leaks = 2 }, "2 calls brought a caller's credential"},
		{"a hit that nobody wrote down", func(_ *books, s *tally) { s.decisions["replay"]++ }, "the ledger has 3024 calls"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, seen := agreed(t)
			tt.change(b, seen)
			err := b.mismatch(seen)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("mismatch = %v, want %q", err, tt.want)
			}
			var out bytes.Buffer
			b.printVerdict(&out, err)
			if !strings.Contains(out.String(), "NOT EQUAL: ") || strings.Contains(out.String(), ": equal") {
				t.Errorf("verdict = %q", &out)
			}
		})
	}
}

func TestMoney(t *testing.T) {
	for _, text := range []string{"0.000000000", "0.002404800", "160.000000001", "-0.000000001", "-10.500000000"} {
		var n nanos
		if err := n.UnmarshalText([]byte(text)); err != nil || n.String() != text {
			t.Errorf("%s: read and printed as %s, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "1", "1.5", "$1.000000000", "1,000.000000000", "0.0000000001"} {
		var n nanos
		if err := n.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: read as %s, want an error", text, n)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -123: "-123"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
	if got := percent(0, 0); got != "0.0%" {
		t.Errorf("percent of nothing = %q", got)
	}
	for n, want := range map[nanos]string{-5: "", 0: "", 1: "▏", 500: strings.Repeat("█", 18), 1000: strings.Repeat("█", 36)} {
		if got := bar(n, 1000); got != want {
			t.Errorf("bar(%d) = %q, want %q", n, got, want)
		}
	}
}
