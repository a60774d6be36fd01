package policyfile

import (
	"fmt"
	"time"

	"github.com/farebox-mesh/farebox/policies"
)

// records reads how long the ledger keeps its entries.
func (p *parser) records(f fields) {
	n := f.get("ledger")
	if n == nil {
		return
	}
	g := p.fields(n, n, `"ledger"`, keys{now: []string{"keep"}})
	keep := g.get("keep")
	if keep == nil {
		return
	}
	p.policy.Keep = quantity(p, keep, "keep", days)
	for i := range p.policy.Budgets {
		b := &p.policy.Budgets[i]
		if window := longest(b); p.policy.Keep > 0 && p.policy.Keep < window {
			p.report(keep, ImpossibleLimit, "budget %q counts entries that are older", fmt.Sprintf("keep them for %d days or more", int(window/day)),
				string(b.Name))
			return
		}
	}
}

const day = 24 * time.Hour

// longest is the length that a budget's window never exceeds, in whole days and one for its zone.
func longest(b *policies.Budget) time.Duration {
	length := map[policies.Period]time.Duration{
		policies.Week: 7 * day, policies.Month: 31 * day, policies.Rolling: (b.Length + day - 1).Truncate(day),
	}
	return length[b.Window] + day
}
