package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// replicaFile holds the id that tells this state folder from those of other processes.
const replicaFile = "replica"

// openReplica returns the id of a state folder, which it makes if there is none. It must survive a power cut before
// anybody knows it.
func openReplica(dir string, now time.Time) (ID, error) {
	path := filepath.Join(dir, replicaFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeReplica(dir, path, now)
	}
	if err != nil {
		return ID{}, fmt.Errorf("read replica id: %w", err)
	}
	id, err := ParseID(string(bytes.TrimSpace(text)))
	if err != nil {
		return ID{}, fmt.Errorf("read replica id %q: %w; remove the file to get a new one", path, err)
	}
	return id, nil
}

func makeReplica(dir, path string, now time.Time) (ID, error) {
	id := NewID(now)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return ID{}, fmt.Errorf("make replica id: %w", err)
	}
	_, err = f.WriteString(id.String() + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return ID{}, fmt.Errorf("make replica id: %w", err)
	}
	return id, nil
}
