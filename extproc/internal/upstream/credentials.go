package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/farebox-mesh/farebox/policies"
)

// maxCredential is the size of the largest credential file, in bytes.
const maxCredential = 64 << 10

// Credentials holds what the credential files of a policy say. LoadCredentials is the only way to make one.
// Its methods may run together.
type Credentials struct {
	logger *slog.Logger
	files  map[policies.RouteName]*credentialFile // never changed

	refreshing sync.Mutex // held by Refresh, for seen and gone of all files
}

// credentialFile is a file as it was last read.
type credentialFile struct {
	path   string
	secret atomic.Pointer[Secret] // never nil once the file was read
	seen   fs.FileInfo            // of the version that was last read, or tried
	gone   bool                   // when it was last looked at
}

// LoadCredentials reads the files of a policy's providers and pools. If any cannot be read, or holds no credential,
// it returns an error that names each such file. A credential is the file's first line without surrounding white
// space. Files that cannot be read again later are reported to the logger.
func LoadCredentials(p *policies.Policy, logger *slog.Logger) (*Credentials, error) {
	c := &Credentials{logger: logger, files: map[policies.RouteName]*credentialFile{}}
	var errs []error
	add := func(name policies.RouteName, cred policies.Credential) {
		if cred.File == "" {
			return
		}
		f := &credentialFile{path: cred.File}
		if err := f.read(); err != nil {
			errs = append(errs, fmt.Errorf("credential of %q: %w", name, err))
		}
		c.files[name] = f
	}
	for i := range p.Providers {
		add(p.Providers[i].Name, p.Providers[i].Credential)
	}
	for i := range p.Pools {
		add(p.Pools[i].Name, p.Pools[i].Credential)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// Get returns the credential of a provider or pool as it was last read, and false for one whose policy names no
// file. It never waits for a file.
func (c *Credentials) Get(name policies.RouteName) (Secret, bool) {
	f := c.files[name]
	if f == nil {
		return Secret{}, false
	}
	return *f.secret.Load(), true
}

// Refresh reads the files again that have changed. While one is missing, empty or malformed, its last good
// credential stays, and the logger hears of it once. It waits for as long as the file system does.
func (c *Credentials) Refresh(ctx context.Context) {
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	for name, f := range c.files {
		if err := f.refresh(); err != nil {
			c.logger.LogAttrs(ctx, slog.LevelWarn, "credential not read again, the last one stays",
				slog.String("provider", string(name)), slog.Any("err", err))
		}
	}
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
	secret := newSecret(text)
	f.secret.Store(&secret)
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
