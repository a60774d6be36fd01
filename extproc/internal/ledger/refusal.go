package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Refusals is the file in the state folder that keeps what a sink would not take, a JSON object a line, so that one
// bad entry neither stops all others nor is lost.
const Refusals = "refused.jsonl"

// refusal is a line of that file.
type refusal struct {
	At     time.Time `json:"at"`
	Sink   string    `json:"sink"`
	Seq    int64     `json:"seq"` // of the journal record
	Reason string    `json:"reason"`
	Text   string    `json:"text"` // the record's payload
}

// keepRefusal appends a line and brings it to the disk.
func keepRefusal(dir string, r refusal) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keep refused entry: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, Refusals), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("keep refused entry: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keep refused entry: %w", err)
	}
	return nil
}
