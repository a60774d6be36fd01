package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// sources are the files that a policy is made of, as they were read together.
type sources struct {
	text   []byte   // of the policy
	prices [][]byte // of its price files, in their order; none of a policy with mistakes
}

func (s *sources) equal(other *sources) bool {
	return bytes.Equal(s.text, other.text) && slices.EqualFunc(s.prices, other.prices, bytes.Equal)
}

// sourceReader reads the sources of a policy file again and again.
type sourceReader struct {
	file  string
	text  []byte   // as last read
	paths []string // of the price files that it names
}

// read reads the policy, and the price files that it names.
func (r *sourceReader) read() (sources, error) {
	text, err := os.ReadFile(r.file)
	if err != nil {
		return sources{}, fmt.Errorf("read policy: %w", err)
	}
	if r.text == nil || !bytes.Equal(text, r.text) {
		r.text, r.paths = text, nil
		// What is wrong with it is said where it is compiled.
		if p, problems := policyfile.Parse(r.file, text); problems.Err() == nil {
			r.paths = p.Overlays
		}
	}
	prices, err := readPrices(r.file, r.paths)
	return sources{text, prices}, err
}

// readPrices reads the price files of a policy. Their paths are relative to its folder.
func readPrices(policy string, paths []string) ([][]byte, error) {
	var texts [][]byte
	for _, path := range paths {
		text, err := os.ReadFile(besides(policy, path))
		if err != nil {
			return nil, fmt.Errorf("read prices: %w", err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// besides returns where a path of a policy leads.
func besides(policy, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(policy), path)
}

// parsePrices reads the texts of a policy's price files.
func parsePrices(policy string, paths []string, texts [][]byte) ([][]pricing.Listing, error) {
	var overlays [][]pricing.Listing
	for i, text := range texts {
		listings, err := catalog.LoadOverlay(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("read prices %q: %w", besides(policy, paths[i]), err)
		}
		overlays = append(overlays, listings)
	}
	return overlays, nil
}
