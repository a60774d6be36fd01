package e2e

import (
	"os"
	"testing"
)

// nodeHits is how many of the checks in sdk.mjs are answered from the cache.
const nodeHits = 1

func TestTheOfficialSDKsForNodeAreServedAndRefused(t *testing.T) {
	servedAndRefused(t, sdkNode(t), "sdk.mjs", nodeHits)
}

// sdkNode is the name of a Node that has the SDKs. Without one the test is skipped, and in CI it fails.
func sdkNode(t *testing.T) string {
	t.Helper()
	if os.Getenv("FAREBOX_NODE") == "" {
		missing(t, "FAREBOX_NODE is not set: make test sets it, or name a folder in which npm has installed e2e/node")
	}
	return "node"
}
