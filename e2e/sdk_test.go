package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// sdkPolicy does everything that an SDK may notice, but for refusals.
const sdkPolicy = `
version: 1
mode: enforce
dimensions:
  team: {from: [header:x-team], trusted: true}
  feature: [header:x-farebox-feature]
tiers:
  cheap: [openai/gpt-4.1-nano, anthropic/claude-haiku-4-5]
rules:
  - {when: {feature: cheap}, tier: cheap}
caches:
  exact: {ttl: 1h, per: team}
`

// sdkHits is how many of the checks are answered from the cache.
const sdkHits = 6

func TestTheOfficialSDKsAreServedAndRefused(t *testing.T) {
	servedAndRefused(t, sdkPython(t), "sdk.py", sdkHits)
}

// servedAndRefused runs a script with the SDKs of its language against a policy that serves it, hits times from the
// cache, and one whose budget is spent.
func servedAndRefused(t *testing.T, language, script string, hits int64) {
	t.Helper()
	served, refused := map[release]*stack{}, map[release]*stack{}
	var groups []string
	for r := range envoys {
		served[r] = newStack(t, setup{envoy: r, policy: sdkPolicy})
		refused[r] = newStack(t, setup{envoy: r, policy: limitedTo(1)})
		groups = append(groups, "served="+served[r].url, "refused="+refused[r].url)
	}
	checks := sdk(t, language, script, groups)
	eachEnvoy(t, func(t *testing.T, r release) {
		t.Run("served", func(t *testing.T) {
			s := served[r]
			passed(t, checks, s)
			total := s.provider.total(t)
			sum := s.settled(t, total.Calls+hits)
			if sum.Cost != total.CostNanos || sum.Estimated != 0 || sum.outcome("cache_hit") != hits {
				t.Errorf("ledger %s USD, %d estimated, outcomes %v; invoice %s USD", sum.Cost, sum.Estimated, sum.Outcomes, total.CostNanos)
			}
			s.quiet(t)
		})
		t.Run("refused at once, without retries", func(t *testing.T) {
			refusedOnce(t, checks, refused[r])
		})
	})
}

// refusedOnce fails the test if the checks sent more requests than there were calls.
func refusedOnce(t *testing.T, checks []check, s *stack) {
	t.Helper()
	n := passed(t, checks, s)
	// The probe shows that no retry is on its way to the log any more.
	s.send(t, call{method: "GET", path: "/v1/models"}.with("authorization", "Bearer probe"))
	if lines := s.logged(t, n+1); len(lines) != n+1 {
		t.Errorf("%d requests for %d checks and a probe: %v", len(lines), n, lines)
	}
}

// check is what came of one function of sdk.py or sdk.mjs.
type check struct{ URL, Name, Error string }

// passed fails the test if a check against the stack failed, and returns how many there were.
func passed(t *testing.T, checks []check, s *stack) int {
	t.Helper()
	n := 0
	for _, c := range checks {
		if c.URL != s.url {
			continue
		}
		n++
		if c.Error != "" {
			t.Errorf("%s: %s", c.Name, c.Error)
		}
	}
	if n == 0 {
		t.Error("no check was made")
	}
	return n
}

// sdkPython is a Python that has the SDKs. Without one the test is skipped, and in CI it fails.
func sdkPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("FAREBOX_PYTHON")
	if python == "" {
		missing(t, "FAREBOX_PYTHON is not set: make test sets it, or name a Python that has e2e/requirements.txt installed")
	}
	return python
}

// missing skips a test for want of what it says, and fails it in CI.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// sdk runs a script that checks with the SDKs of its language.
func sdk(t *testing.T, language, script string, groups []string) []check {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), language, append([]string{script}, groups...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, said.Bytes())
	}
	return lines[check](t, bytes.NewReader(out))
}
