package policyfile

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
)

func TestPriceFilesAreNamedAlsoByAPolicyWithMistakes(t *testing.T) {
	got := PriceFiles([]byte("version: 1\nmode: off\nprices: {files: [a.json, /etc/b.json, a.json]}\n"))
	if diff := cmp.Diff([]string{"a.json", "/etc/b.json"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := PriceFiles([]byte("{")); got != nil {
		t.Errorf("%q in no YAML", got)
	}
}

func TestParseWithReturnsTheListingsOfEachFile(t *testing.T) {
	texts := map[string]string{
		"a.json": `{"provider": "acme", "listings": [{"model": "m", "input": "1", "output": "2", "source": "s", "as_of": "2026-11"}]}`,
		"b.json": `{"listings": []}`,
	}
	read := func(path string) ([]byte, error) { return []byte(texts[path]), nil }
	_, overlays, problems := ParseWith("conf/p.yaml", []byte("version: 1\nprices: {files: [b.json, a.json]}\n"), read)
	if problems.Err() != nil || len(overlays) != 2 || len(overlays[0]) != 0 || len(overlays[1]) != 1 || overlays[1][0].Model != "m" {
		t.Errorf("%+v, problems %v", overlays, problems)
	}
	texts["a.json"] = `{`
	if _, overlays, problems = ParseWith("conf/p.yaml", []byte("version: 1\nprices: {files: [b.json, a.json]}\n"), read); overlays != nil || len(problems) != 1 || problems[0].File != "conf/a.json" {
		t.Errorf("%+v, problems %v", overlays, problems)
	}
	gone := func(string) ([]byte, error) { return nil, errors.New("no such bucket") }
	_, _, problems = ParseWith("p.yaml", []byte("version: 1\nprices: {files: a.json}\n"), gone)
	if len(problems) != 1 || problems[0].Message != `"a.json": no such bucket` || problems[0].Line != 2 {
		t.Errorf("problems %v", problems)
	}
}

func TestTheTableOfPriceFilesIsBuiltOnce(t *testing.T) {
	p := newParser("p.yaml", nil)
	p.overlays = [][]pricing.Listing{make([]pricing.Listing, 1000)}
	for i := range p.overlays[0] {
		p.overlays[0][i] = pricing.Listing{Provider: "acme", Model: pricing.ModelName(fmt.Sprint("m", i))}
	}
	if !p.priced("acme", "m999") || p.priced("acme", "m1000") {
		t.Error("m0 to m999 have a price, and no other")
	}
	if allocs := testing.AllocsPerRun(5, func() { p.priced("acme", "m999") }); allocs > 100 {
		t.Errorf("%.0f allocations to look one of 1000 listings up", allocs)
	}
}
