package exchange

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
)

const marking = `mode: enforce
providers:
  claude: {vendor: anthropic, hosts: [claude.test], credential: "file:DIR/second.key"}
caches: {prompt: auto}
`

// shop is a call under a system prompt that is worth a mark.
func shop() call {
	system := strings.Repeat("You answer for the shop. ", 1000)
	return call{
		host: "claude.test", path: "/v1/messages",
		body: `{"model":"claude-sonnet-4-6","max_tokens":9,"system":"` + system + `","messages":[{"role":"user","content":"Hi"}]}`,
	}
}

// marked sends the shop's call and reports whether it goes out with a mark.
func (w *world) marked(t *testing.T) (*Exchange, bool) {
	t.Helper()
	x, reply := w.send(t, shop())
	if reply.Answer != nil {
		t.Fatalf("answered with %d: %s", reply.Answer.Status, reply.Answer.Body)
	}
	return x, bytes.Contains(reply.Body, []byte(`"cache_control"`))
}

// A call that wrote nothing must not keep the next one from writing the prefix.
func TestWhatWritesNoPrefixHoldsNone(t *testing.T) {
	status := func(code int, details string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			x, marked := w.marked(t)
			if !marked {
				t.Fatal("the second call is not marked")
			}
			x.ResponseStatus(Status{Code: code, Details: details})
			_, err := x.ResponseBody([]byte(failed), true)
			must(t, err)
		}
	}
	for name, second := range map[string]func(*testing.T, *world){
		"refused": func(t *testing.T, w *world) {
			w.ledger = full{w.books}
			if _, reply := w.send(t, shop()); reply.Answer == nil {
				t.Fatal("not refused")
			}
			w.ledger = w.books
		},
		"observed": func(t *testing.T, w *world) {
			enforcing := w.snapshot.Load()
			w.Publish(snapshot(t, compile(t, "mode: observe\ncaches: {prompt: auto}\n")))
			w.send(t, shop())
			w.Publish(enforcing)
		},
		"without a credential": func(t *testing.T, w *world) {
			whole := w.snapshot.Load()
			w.Publish(&Snapshot{Set: whole.Set, Credentials: noCredentials{}})
			if _, reply := w.send(t, shop()); reply.Answer == nil {
				t.Fatal("not refused")
			}
			w.Publish(whole)
		},
		"never sent": func(t *testing.T, w *world) {
			x, _ := w.marked(t)
			x.NeverSent()
		},
		"abandoned before it left": func(t *testing.T, w *world) {
			x, _ := w.marked(t)
			x.out = false // as if the bug struck before
			x.Abandon(errors.New("bug"))
		},
		"turned down by the provider":     status(529, "via_upstream"),
		"without an upstream":             status(503, "no_healthy_upstream"),
		"failed, and perhaps billed":      status(504, "response_timeout"),
		"failed with details left unsaid": status(500, ""),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, marking)
			if _, marked := w.marked(t); marked {
				t.Fatal("the first call is marked")
			}
			second(t, w)
			w.clock.set(w.clock.now().Add(time.Second))
			if _, marked := w.marked(t); !marked {
				t.Error("the next call is not marked")
			}
		})
	}
}

// quick lets another call claim between the decision and the claim.
type quick struct{ Prefixes }

func (quick) Claimable(cache.PrefixKey, time.Time) bool { return true }
func (quick) Claim(cache.PrefixKey, time.Time) bool     { return false }

func TestACallThatLosesTheClaimGoesUnmarked(t *testing.T) {
	w := newWorld(t, marking)
	w.prefixes = quick{w.prefixes}
	x, reply := w.send(t, shop())
	if reply.Answer != nil || reply.Body != nil {
		t.Errorf("answer %+v, body %.80s; want the call as it came", reply.Answer, reply.Body)
	}
	x.ResponseStatus(Status{Code: 200, Details: "via_upstream"})
	_, err := x.ResponseBody([]byte(said), true)
	must(t, err)
	if w.Conductor.prefixes.(quick).Prefixes.Claim(x.prefix, w.clock.now().Add(cache.PrefixLifetime)) {
		t.Error("the prefix counts as kept, though nobody wrote it")
	}
}

func TestAPrefixIsWrittenByOneCallAtATime(t *testing.T) {
	w := newWorld(t, marking)
	w.marked(t)
	writer, marked := w.marked(t)
	if !marked {
		t.Fatal("the second call is not marked")
	}
	if _, marked := w.marked(t); marked {
		t.Error("a call is marked while another one writes")
	}
	writer.ResponseStatus(Status{Code: 200, Details: "via_upstream"})
	_, err := writer.ResponseBody([]byte("{"), false)
	must(t, err)
	for range 2 {
		if _, marked := w.marked(t); !marked {
			t.Error("a call is not marked though the provider keeps the prefix")
		}
	}
}
