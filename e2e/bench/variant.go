package main

import "strings"

// kind is what stands beside Envoy.
type kind uint8

const (
	alone kind = iota // nothing
	empty
	farebox
)

// variant is a stack to be measured.
type variant struct {
	name   string
	short  string // of its folder
	kind   kind
	policy string
	hits   bool              // answers come from the cache
	proof  map[string]string // response headers that show that the stack does what its name says
}

const observePolicy = `version: 1
mode: observe
`

const enforcePolicy = `version: 1
mode: enforce
tiers:
  small: [openai/` + servedModel + `]
rules:
  - name: everything small
    tier: small
budgets:
  - name: company
    limit: $1,000,000 per month
`

const cachePolicy = `version: 1
mode: enforce
caches:
  exact: {ttl: 1h, per: all, temperature: up to 1}
`

// The variants in the order in which they take turns; ratios are taken to the first two.
func variants() []variant {
	return []variant{
		{"no ext_proc", "a", alone, observePolicy, false, map[string]string{"x-farebox-decision": ""}},
		{"empty ext_proc", "b", empty, observePolicy, false, map[string]string{"x-farebox-decision": ""}},
		{"observe", "c", farebox, observePolicy, false, map[string]string{"x-farebox-model": askedModel}},
		{"enforce, model rewritten", "d", farebox, enforcePolicy, false, map[string]string{"x-farebox-model": servedModel}},
		{"exact hit", "e", farebox, cachePolicy, true, map[string]string{"x-farebox-cache": "hit"}},
	}
}

// title is the name of a variant in a table.
func (v variant) title() string { return strings.ToUpper(v.name[:1]) + v.name[1:] }
