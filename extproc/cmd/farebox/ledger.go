package main

import (
	"context"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

// runLedger gives the space of entries that were forgotten back to the disk.
func runLedger(ctx context.Context, args []string, e env) int {
	compact := len(args) > 0 && args[0] == "compact"
	if compact {
		args = args[1:]
	}
	f := flags("ledger compact", "ledger compact --state DIR", e)
	state := f.String("state", "", "state `DIR`, which no server may be using")
	if status, ok := parse(f, args); !ok {
		return status
	}
	wrong := "the word compact is missing"
	if compact {
		wrong = onlyFlags(f, "state")
	}
	if wrong != "" {
		return misused(f, wrong)
	}
	if err := ledger.Compact(ctx, *state, e.now()); err != nil {
		return e.fail(err)
	}
	return statusOK
}
