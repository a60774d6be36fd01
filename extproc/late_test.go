package extproc

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

// slow is a ledger that takes longer for a reservation than Envoy waits for a reply.
type slow struct{ exchange.Ledger }

func (s slow) Reserve(r ledger.Reservation, now time.Time) error {
	err := s.Ledger.Reserve(r, now)
	time.Sleep(messageTimeout)
	return err
}

func TestADecisionThatComesTooLateLetsNothingOut(t *testing.T) {
	g := newGateway(t, enforcing, func(l exchange.Ledger) exchange.Ledger { return slow{l} })
	e := g.open(t, t.Context())
	e.ask(headers())
	ok(t, e.st.Send(body(asked, true)))
	if code := e.ends(); code != codes.OK {
		t.Errorf("the stream ends with %s, want OK and no reply", code)
	}
	for _, b := range g.books.Balances(noon) {
		if b.Spent != 0 || b.Reserved != 0 {
			t.Errorf("budget %s: spent %s, reserved %s USD, want nothing: the call never left", b.Budget, b.Spent, b.Reserved)
		}
	}
}

func TestALargeBodyIsGivenMoreTime(t *testing.T) {
	g := newGateway(t, enforcing, func(l exchange.Ledger) exchange.Ledger { return slow{l} })
	e := g.open(t, t.Context())
	e.ask(headers())
	r := e.ask(body(strings.Replace(asked, "Hi", strings.Repeat("Hi ", 100_000), 1), true))
	if got := r.GetOverrideMessageTimeout().AsDuration(); got != slowTimeout {
		t.Fatalf("first reply asks for %s, want %s", got, slowTimeout)
	}
	r, err := e.st.Recv()
	ok(t, err)
	if m := noted(r); m["decision"] != "asked" {
		t.Errorf("body answered with %v", r)
	}
}
