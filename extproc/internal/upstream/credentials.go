package upstream

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/farebox-mesh/farebox/policies"
)

// maxCredential is the size of the largest credential file, in bytes.
const maxCredential = 64 << 10

// Credentials holds what the credential files of a policy say. NewCredentials is the only way to make one.
// Its methods may run together.
type Credentials struct {
	logger *slog.Logger

	mu    sync.Mutex
	files map[policies.RouteName]*credentialFile // guarded by mu
}

// credentialFile is a file as it was last read.
type credentialFile struct {
	path   string
	secret Secret
	seen   fs.FileInfo // of the version that was last read, or tried
	gone   bool        // when it was last looked at
}

// NewCredentials returns Credentials without any; Load brings them. Files that cannot be read again later are
// reported to the logger.
func NewCredentials(logger *slog.Logger) *Credentials {
	return &Credentials{logger: logger}
}

// Load reads the files of a policy's providers and pools and replaces all that were held before. If any
// cannot be read, or holds no credential, it returns an error that names each such file, and keeps the old
// ones. A credential is the file's first line without surrounding white space.
func (c *Credentials) Load(p *policies.Policy) error {
	files := map[policies.RouteName]*credentialFile{}
	var errs []error
	add := func(name policies.RouteName, cred policies.Credential) {
		if cred.File == "" {
			return
		}
		f := &credentialFile{path: cred.File}
		if err := f.read(); err != nil {
			errs = append(errs, fmt.Errorf("credential of %q: %w", name, err))
		}
		files[name] = f
	}
	for i := range p.Providers {
		add(p.Providers[i].Name, p.Providers[i].Credential)
	}
	for i := range p.Pools {
		add(p.Pools[i].Name, p.Pools[i].Credential)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files = files
	return nil
}

// Get returns the credential of a provider or pool, and false for one whose policy names no file. A file that
// has changed is read again first, which costs a look at the file at every call; while it is missing, empty or
// malformed, the last good credential stays, and the logger hears of it once.
func (c *Credentials) Get(name policies.RouteName) (Secret, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.files[name]
	if f == nil {
		return Secret{}, false
	}
	if err := f.refresh(); err != nil {
		c.logger.Warn("credential not read again, the last one stays",
			slog.String("provider", string(name)), slog.Any("err", err))
	}
	return f.secret, true
}

// refresh reads the file again if it has changed, and returns an error once per change.
func (f *credentialFile) refresh() error {
	now, err := os.Stat(f.path)
	was := f.gone
	f.gone = err != nil
	if err != nil && was {
		return nil
	}
	if err != nil {
		return err
	}
	if os.SameFile(now, f.seen) && now.ModTime().Equal(f.seen.ModTime()) && now.Size() == f.seen.Size() {
		return nil
	}
	return f.read()
}

// read takes the credential from the file; on an error the one it had stays.
func (f *credentialFile) read() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	f.seen = info
	// Opening a named pipe would wait for its writer.
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%q: not a regular file", f.path)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxCredential+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	text, err := parseCredential(data)
	if err != nil {
		return fmt.Errorf("%q: %w", f.path, err)
	}
	f.secret = newSecret(text)
	return nil
}

// parseCredential returns the first line. It becomes the value of a header, so it must be visible ASCII.
func parseCredential(data []byte) (string, error) {
	if len(data) > maxCredential {
		return "", fmt.Errorf("longer than %d bytes", maxCredential)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSpace(line)
	if line == "" {
		return "", errors.New("first line is empty")
	}
	for _, b := range []byte(line) {
		if b <= ' ' || b > '~' {
			return "", errors.New("first line holds a space, control or non-ASCII character")
		}
	}
	return line, nil
}
