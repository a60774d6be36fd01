package lease

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// identityFile holds a replica's id and the incarnation that started last, in a line.
const identityFile = "replica"

// Identify returns who the process is that has taken a state folder: the id that the folder has for ever, and an
// incarnation above those of all earlier starts, which is on the disk when Identify returns. A folder without an id
// gets one.
func Identify(dir string, now time.Time) (replica string, incarnation int64, err error) {
	path := filepath.Join(dir, identityFile)
	replica, incarnation, err = readIdentity(path)
	if errors.Is(err, os.ErrNotExist) {
		var id [12]byte
		rand.Read(id[:])
		replica, err = hex.EncodeToString(id[:]), nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("identify replica: %w", err)
	}
	// Of the clock, too, so that two copies of a folder do not count alike.
	incarnation = max(incarnation+1, now.UnixMicro())
	if err := writeDurably(path, fmt.Sprintf("%s %d\n", replica, incarnation)); err != nil {
		return "", 0, fmt.Errorf("identify replica: %w", err)
	}
	return replica, incarnation, nil
}

func readIdentity(path string) (string, int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", 0, err
	}
	id, count, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 0 || id == "" || strings.Contains(id, "/") {
		return "", 0, fmt.Errorf("%q does not hold a replica id and a count", path)
	}
	return id, n, nil
}

// writeDurably replaces a file so that it is old or new after a power cut, and new once this returns.
func writeDurably(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), identityFile+"-*")
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
