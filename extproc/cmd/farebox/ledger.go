package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

// ledgerFile is the database in a state folder.
const ledgerFile = "ledger.db"

// runLedger gives the space of entries that were forgotten back to the disk.
func runLedger(ctx context.Context, args []string, e env) int {
	name := "ledger"
	compact := len(args) > 0 && args[0] == "compact"
	if compact {
		name, args = "ledger compact", args[1:]
	}
	f := flags(name, "ledger compact --state DIR", e)
	state := f.String("state", "", "state `DIR`, which no server may be using")
	if status, ok := parse(f, args); !ok {
		return status
	}
	wrong := unknownCommand(f.Arg(0), "compact")
	if compact {
		wrong = onlyFlags(f, "state")
	}
	if wrong != "" {
		return misused(f, wrong)
	}
	if err := compactLedger(ctx, *state, e); err != nil {
		return e.fail(err)
	}
	return statusOK
}

// compactLedger says what it gave back.
func compactLedger(ctx context.Context, dir string, e env) error {
	before, err := ledgerSize(dir)
	if err != nil {
		return err
	}
	if err := ledger.Compact(ctx, dir, e.now()); err != nil {
		return err
	}
	after, err := ledgerSize(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s compacted: %s, was %s\n", filepath.Join(dir, ledgerFile), kilobytes(after), kilobytes(before))
	return nil
}

// ledgerSize returns how large the database in a state folder is, in bytes.
func ledgerSize(dir string) (int64, error) {
	info, err := os.Stat(filepath.Join(dir, ledgerFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("no ledger in %q: --state is the folder that a farebox serve --state has used", dir)
	case err != nil:
		return 0, fmt.Errorf("no ledger in %q: %w", dir, err)
	}
	return info.Size(), nil
}

// kilobytes prints a size, rounded up.
func kilobytes(bytes int64) string { return fmt.Sprintf("%d KB", (bytes+1023)/1024) }
