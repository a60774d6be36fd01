package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// file is one provider's JSON.
type file struct {
	Provider pricing.ProviderName `json:"provider"`
	Hosts    []string             `json:"hosts"`
	Listings []entry              `json:"listings"`
}

// load reads all *.json at the root of fsys, in the order of their names.
func load(fsys fs.FS) (*catalogue, error) {
	names, err := fs.Glob(fsys, "*.json")
	if err != nil {
		return nil, err
	}
	var c catalogue
	var listings []pricing.Listing
	for _, name := range names {
		f, err := readFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		for _, host := range f.Hosts {
			if err := c.hosts.add(host, f.Provider); err != nil {
				return nil, fmt.Errorf("read %s: %w", name, err)
			}
		}
		for i := range f.Listings {
			l, err := f.Listings[i].listing(f.Provider)
			if err != nil {
				return nil, fmt.Errorf("read %s: listing %d, model %q: %w", name, i+1, f.Listings[i].Model, err)
			}
			listings = append(listings, l)
		}
	}
	c.table = pricing.NewTable(listings)
	return &c, nil
}

// readFile decodes one file strictly.
func readFile(fsys fs.FS, name string) (file, error) {
	var f file
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return f, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return f, errors.New("something follows the object")
	}
	if want := strings.TrimSuffix(name, ".json"); string(f.Provider) != want {
		return f, fmt.Errorf("provider %q in the file of %q", f.Provider, want)
	}
	return f, nil
}
