package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/admin"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// printBudgets prints a table.
func printBudgets(w io.Writer, budgets admin.Budgets) error {
	shared := slices.ContainsFunc(budgets.Budgets, func(b admin.Budget) bool { return b.Shared })
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	columns := "BUDGET\tSCOPE\tLIMIT USD\tSPENT USD\tRESERVED USD\t"
	if shared {
		columns += "LEASED USD\tGRANTED USD\t"
	}
	fmt.Fprint(table, columns+"LEFT USD\tREFILLS\tNOTES\n")
	for i := range budgets.Budgets {
		b := &budgets.Budgets[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t", visible(string(b.Budget)), scopeWords(b.Scope),
			amount(pricing.Money(b.Limit)), amount(pricing.Money(b.Spent)), amount(pricing.Money(b.Reserved)))
		if shared {
			fmt.Fprintf(table, "%s\t%s\t", amountOr(b.Leased, b.Shared), amountOr(b.Granted, b.Shared))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", amountOr(b.Left, true), moment(b.Refills), notes(b))
	}
	if err := table.Flush(); err != nil || !shared {
		return err
	}
	_, err := fmt.Fprintln(w, admin.SharedNote)
	return err
}

// amountOr prints an amount that may not be known, "?" then, and "-" where there is none to know.
func amountOr(d *admin.Dollars, exists bool) string {
	switch {
	case d != nil:
		return amount(pricing.Money(*d))
	case exists:
		return "?"
	}
	return "-"
}

// scopeWords prints the values of a scope in the order of names.
func scopeWords(scope map[policies.DimensionName]string) string {
	words := make([]string, 0, len(scope))
	for _, name := range slices.Sorted(maps.Keys(scope)) {
		words = append(words, visible(string(name)+"="+scope[name]))
	}
	return cmp.Or(strings.Join(words, " "), "everybody")
}

// notes says what is special about a balance.
func notes(b *admin.Budget) string {
	var words []string
	if b.Soft {
		words = append(words, "soft")
	}
	if b.FreeOnly {
		words = append(words, "free only when spent")
	}
	for _, s := range b.Steps {
		if s.Passed {
			words = append(words, fmt.Sprintf("passed %d%%: %s", s.Percent, s.Do))
		}
	}
	for _, t := range b.TopUps {
		words = append(words, visible(fmt.Sprintf("topped up by %s until %s by %s: %s", usd(pricing.Money(t.Amount)), moment(t.Until.In(b.Refills.Location())), t.Who, t.Reason)))
	}
	return cmp.Or(strings.Join(words, "; "), "-")
}

// inZone gives a time that JSON carried its zone back, so that it is printed with its name. A zone that is not known
// here leaves it as it is.
func inZone(at time.Time, zone string) time.Time {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return at
	}
	return at.In(loc)
}

// visible makes a text that a client may have chosen fit for a terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return '\uFFFD'
		}
		return r
	}, s)
}
