package e2e

import (
	"net"
	"testing"
)

// freeAddress is one on loopback that nobody listens on yet.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestEnvoyReachesFareboxOverTCP(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: cheapPolicy, tcp: true})
		for range 3 {
			if got := s.asks(t); got != "gpt-4.1-nano" {
				t.Errorf("model %q, want gpt-4.1-nano", got)
			}
		}
		if sum, total := s.settled(t, 3), s.provider.total(t); sum.Cost != total.CostNanos {
			t.Errorf("ledger %s USD, invoice %s USD", sum.Cost, total.CostNanos)
		}
		s.quiet(t)
	})
}
