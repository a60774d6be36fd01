package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/farebox-mesh/farebox/policies/policyfile"
)

// sources are the files that a policy is made of, as they were read together.
type sources struct {
	text   []byte        // of the policy
	prices []priceSource // of its price files, in their order
}

// priceSource is a price file of a policy as it was read.
type priceSource struct {
	path string // as the policy names it
	text []byte
	err  error // why it could not be read
}

func (s *sources) equal(other *sources) bool {
	same := func(a, b priceSource) bool {
		return a.path == b.path && bytes.Equal(a.text, b.text) && (a.err == nil) == (b.err == nil)
	}
	return bytes.Equal(s.text, other.text) && slices.EqualFunc(s.prices, other.prices, same)
}

// price returns the text of a price file.
func (s *sources) price(path string) ([]byte, error) {
	for _, p := range s.prices {
		if p.path == path {
			return p.text, p.err
		}
	}
	return nil, fs.ErrNotExist
}

// sourceReader reads the sources of a policy file again and again.
type sourceReader struct {
	file  string
	text  []byte   // as last read
	paths []string // of the price files that it names
}

// read reads the policy, and the price files that it names. A price file that is not there is told as the problem of
// the policy that it is, with all others that it has.
func (r *sourceReader) read() (sources, error) {
	text, err := readFile(r.file, maxPolicy)
	if errors.Is(err, fs.ErrNotExist) {
		return sources{}, fmt.Errorf("read policy: %w; README.md has one to begin with", err)
	}
	if err != nil {
		return sources{}, fmt.Errorf("read policy: %w", err)
	}
	if r.text == nil || !bytes.Equal(text, r.text) {
		r.text, r.paths = text, policyfile.PriceFiles(text)
	}
	s, complete := sources{text: text}, true
	for _, path := range r.paths {
		p := priceSource{path: path}
		p.text, p.err = readFile(policyfile.PricePath(r.file, path), maxPrices)
		s.prices = append(s.prices, p)
		complete = complete && p.err == nil
	}
	if complete {
		return s, nil
	}
	_, _, problems := policyfile.ParseWith(r.file, text, s.price)
	return s, problems.Err()
}
