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
	money := moneyColumns(budgets.Budgets, shared)
	for i := range len(budgets.Budgets) + 1 {
		about, end := "BUDGET\tSCOPE", "REFILLS\tNOTES"
		if i > 0 {
			b := &budgets.Budgets[i-1]
			about, end = visible(string(b.Budget))+"\t"+scopeWords(b.Scope), moment(b.Refills)+"\t"+notes(b)
		}
		fmt.Fprint(table, about)
		for _, column := range money {
			fmt.Fprintf(table, "\t%s", column[i])
		}
		fmt.Fprintf(table, "\t%s\n", end)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, note := range []string{sharedNote(shared), budgets.OutageNote()} {
		if note == "" {
			continue
		}
		if _, err := fmt.Fprintln(w, note); err != nil {
			return err
		}
	}
	return nil
}

func sharedNote(shared bool) string {
	if shared {
		return admin.SharedNote
	}
	return ""
}

// moneyColumns are the amounts of all budgets, each column with its head, aligned to the right.
func moneyColumns(budgets []admin.Budget, shared bool) [][]string {
	var columns [][]string
	add := func(head string, of func(b *admin.Budget) string) {
		column := []string{head}
		for i := range budgets {
			column = append(column, of(&budgets[i]))
		}
		columns = append(columns, alignAmounts(column))
	}
	add("LIMIT USD", func(b *admin.Budget) string { return amount(pricing.Money(b.Limit)) })
	add("SPENT USD", func(b *admin.Budget) string { return amount(pricing.Money(b.Spent)) })
	add("RESERVED USD", func(b *admin.Budget) string { return amount(pricing.Money(b.Reserved)) })
	if shared {
		add("LEASED USD", func(b *admin.Budget) string { return amountOr(b.Leased, b.Shared) })
		add("GRANTED USD", func(b *admin.Budget) string { return amountOr(b.Granted, b.Shared) })
	}
	add("LEFT USD", func(b *admin.Budget) string { return amountOr(b.Left, true) })
	return columns
}

// alignAmounts gives the amounts of a column as many decimals as the longest has, and all cells one width.
func alignAmounts(cells []string) []string {
	decimals, width := 0, 0
	for _, cell := range cells {
		_, fraction, _ := strings.Cut(cell, ".")
		decimals = max(decimals, len(fraction))
	}
	for i, cell := range cells {
		if _, fraction, ok := strings.Cut(cell, "."); ok {
			cells[i] += strings.Repeat("0", decimals-len(fraction))
		}
		width = max(width, len(cells[i]))
	}
	for i, cell := range cells {
		cells[i] = fmt.Sprintf("%*s", width, cell)
	}
	return cells
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
	if b.Elsewhere != nil {
		words = append(words, "topped up at another replica by "+usd(pricing.Money(*b.Elsewhere)))
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
