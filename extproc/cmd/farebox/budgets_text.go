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
)

// printBudgets prints a table.
func printBudgets(w io.Writer, budgets admin.Budgets) error {
	shared := slices.ContainsFunc(budgets.Budgets, func(b admin.Budget) bool { return b.Shared })
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	columns := "BUDGET\tSCOPE\tLIMIT\tSPENT\tRESERVED\t"
	if shared {
		columns += "LEASED\tGRANTED\t"
	}
	fmt.Fprint(table, columns+"LEFT\tREFILLS\tNOTES\n")
	for i := range budgets.Budgets {
		b := &budgets.Budgets[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t", visible(string(b.Budget)), scopeWords(b.Scope), b.Limit, b.Spent, b.Reserved)
		if shared {
			fmt.Fprintf(table, "%s\t%s\t", admin.Known(b.Leased, b.Shared), admin.Known(b.Granted, b.Shared))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", admin.Known(b.Left, true), moment(b.Refills), notes(b))
	}
	if err := table.Flush(); err != nil || !shared {
		return err
	}
	_, err := fmt.Fprintln(w, admin.SharedNote)
	return err
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
		words = append(words, visible(fmt.Sprintf("topped up by %s until %s by %s: %s", t.Amount, moment(t.Until.In(b.Refills.Location())), t.Who, t.Reason)))
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
