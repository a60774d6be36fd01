package e2e

import (
	"os"
	"testing"
)

// nodeHits is how many of the checks in sdk.mjs are answered from the cache.
const nodeHits = 1

func TestTheOfficialSDKsForNodeAreServedAndRefused(t *testing.T) {
	node := sdkNode(t)
	served, refused := map[release]*stack{}, map[release]*stack{}
	var groups []string
	for r := range envoys {
		served[r] = newStack(t, setup{envoy: r, policy: sdkPolicy})
		refused[r] = newStack(t, setup{envoy: r, policy: limitedTo(1)})
		groups = append(groups, "served="+served[r].url, "refused="+refused[r].url)
	}
	checks := sdk(t, node, "sdk.mjs", groups)
	eachEnvoy(t, func(t *testing.T, r release) {
		t.Run("served", func(t *testing.T) {
			s := served[r]
			passed(t, checks, s)
			total := s.provider.total(t)
			sum := s.settled(t, total.Calls+nodeHits)
			if sum.Cost != total.CostNanos || sum.Estimated != 0 || sum.outcome("cache_hit") != nodeHits {
				t.Errorf("ledger %s USD, %d estimated, outcomes %v; invoice %s USD", sum.Cost, sum.Estimated, sum.Outcomes, total.CostNanos)
			}
			s.quiet(t)
		})
		t.Run("refused at once, without retries", func(t *testing.T) {
			refusedOnce(t, checks, refused[r])
		})
	})
}

// sdkNode is the name of a Node that has the SDKs. Without one the test is skipped, and in CI it fails.
func sdkNode(t *testing.T) string {
	t.Helper()
	if os.Getenv("FAREBOX_NODE") == "" {
		missing(t, "FAREBOX_NODE is not set: make test sets it, or name a folder in which npm has installed e2e/node")
	}
	return "node"
}
