package main

import (
	"context"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

// runLedger gives the space of entries that were forgotten back to the disk.
func runLedger(ctx context.Context, args []string, e env) int {
	f := flags("ledger compact", "ledger compact --state DIR", e)
	state := f.String("state", "", "state `DIR`, which no server may be using")
	if len(args) == 0 || args[0] != "compact" {
		f.Usage()
		return statusUsage
	}
	if status, ok := parse(f, args[1:]); !ok {
		return status
	}
	if *state == "" || f.NArg() > 0 {
		f.Usage()
		return statusUsage
	}
	if err := ledger.Compact(ctx, *state, e.now()); err != nil {
		return e.fail(err)
	}
	return statusOK
}
