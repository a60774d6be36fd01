package lease

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// incarnationFile holds the number of the last start.
const incarnationFile = "incarnation"

// NextIncarnation returns a number for the process that has taken a state folder: above those of all earlier starts,
// and on the disk.
func NextIncarnation(dir string, now time.Time) (int64, error) {
	path := filepath.Join(dir, incarnationFile)
	var last int64
	text, err := os.ReadFile(path)
	if err == nil {
		last, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("read incarnation: %w", err)
	}
	// Of the clock, too, so that two copies of a folder do not count alike.
	next := max(last+1, now.UnixMicro())
	if err := writeDurably(path, strconv.FormatInt(next, 10)+"\n"); err != nil {
		return 0, fmt.Errorf("write incarnation: %w", err)
	}
	return next, nil
}

// writeDurably replaces a file so that it is old or new after a power cut, and new once this returns.
func writeDurably(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), incarnationFile+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone when all went well
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
