package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrInUse says that another process has the state folder open.
var ErrInUse = errors.New("state folder in use")

// lockDir takes the state folder for this process. The lock goes when the file is closed or the process dies.
func lockDir(dir string, now time.Time) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock state folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %q is held by %s; stop it or choose another folder", ErrInUse, dir, holder(f))
		}
		return nil, fmt.Errorf("lock state folder %q: %w", dir, err)
	}
	text := fmt.Sprintf("process %d since %s\n", os.Getpid(), now.UTC().Format(time.RFC3339))
	if err := f.Truncate(0); err == nil {
		// Who holds the lock is for people; a full disk is no reason not to take it.
		_, _ = f.WriteAt([]byte(text), 0)
	}
	return f, nil
}

// holder returns what the process that has the lock wrote about itself.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 256))
	if err != nil || len(text) == 0 {
		return "another process"
	}
	return strings.TrimSpace(string(text))
}
