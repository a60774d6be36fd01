package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
	"github.com/farebox-mesh/farebox/pricing/catalog/pricefile"
)

// PriceFiles returns the paths of the price files that a policy names, as it names them, also where it has problems
// elsewhere: what ParseWith will read.
func PriceFiles(data []byte) []string {
	p := newParser("", nil)
	p.parse(data)
	return p.policy.Overlays
}

// DidYouMean says which of some names is probably meant, "" if none is close.
func DidYouMean[S ~string](got string, names []S) string { return didYouMean(got, names) }

// PricePath returns where a price file of a policy lies: relative paths begin at the policy's folder.
func PricePath(policy, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(policy), path)
}

// ParseWith is Parse of a policy with its price files, which read returns by the paths that the policy has. A file that
// cannot be read is a problem of the policy, and what is wrong within one a problem of that file. The listings are those
// of the files, in their order, for catalog.With.
func ParseWith(name string, data []byte, read func(path string) ([]byte, error)) (*policies.Policy, [][]pricing.Listing, Problems) {
	p := newParser(name, read)
	p.parse(data)
	problems := append(p.finish(), p.within...)
	if problems.Err() != nil {
		return nil, nil, problems
	}
	return &p.policy, p.overlays, problems
}

// overlay reads the listings of a price file that stands at a node.
func (p *parser) overlay(n *yaml.Node, path string) {
	if p.read == nil {
		return
	}
	place := PricePath(p.file, path)
	text, err := p.read(path)
	if err != nil {
		cause := err
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			cause = failed.Err
		}
		p.report(n, UnreadablePrices, "%q: %v", fmt.Sprintf("looked for at %s; paths begin at the policy's folder", place), path, cause)
		return
	}
	listings, err := catalog.LoadOverlay(bytes.NewReader(text))
	if err != nil {
		p.within = append(p.within, pricesProblems(place, string(text), err)...)
	} else {
		p.within = append(p.within, mistakesIn(place, string(text), ContradictingPrices, pricefile.Contradictions(text, listings))...)
		p.lists = append(p.lists, priceList{place, text, listings})
	}
	p.overlays, p.own = append(p.overlays, listings), nil
}

// pricesProblems are the mistakes of a price file.
func pricesProblems(place, text string, err error) Problems {
	mistakes, ok := errors.AsType[pricefile.Mistakes](err)
	if !ok {
		return Problems{{File: place, Code: BadPrices, Message: err.Error()}}
	}
	return mistakesIn(place, text, BadPrices, mistakes)
}

// mistakesIn are mistakes of a price file as problems with a code.
func mistakesIn(place, text string, code Code, mistakes pricefile.Mistakes) Problems {
	lines := strings.Split(text, "\n")
	out := make(Problems, len(mistakes))
	for i := range mistakes {
		m := &mistakes[i]
		out[i] = Problem{
			File: place, Line: m.Line, Column: m.Column, Width: m.Width, Code: code, Message: m.Message, Hint: m.Hint,
			Source: strings.TrimSuffix(lines[m.Line-1], "\r"),
		}
		if m.Key != "" {
			out[i].Hint = allOf(m.Key, m.Known)
		}
	}
	return out
}

// listed reports whether a vendor may have prices: those in files that were not read are not known.
func (p *parser) listed(vendor pricing.ProviderName) bool {
	own := func(l pricing.Listing) bool { return l.Provider == vendor }
	return p.unread() || slices.Contains(vendors(), vendor) || slices.ContainsFunc(slices.Concat(p.overlays...), own)
}

// unread reports whether there are price files of unknown content.
func (p *parser) unread() bool {
	return len(p.policy.Overlays) > len(p.overlays) || p.within.Err() != nil
}

// priced reports whether a vendor's model has or had a price, or may have one.
func (p *parser) priced(vendor pricing.ProviderName, model pricing.ModelName) bool {
	if p.unread() || ever().Lookup(vendor, model, time.Time{}) != nil {
		return true
	}
	if p.own == nil {
		p.own = timeless(slices.Concat(p.overlays...))
	}
	return p.own.Lookup(vendor, model, time.Time{}) != nil
}
