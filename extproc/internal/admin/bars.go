package admin

import (
	"fmt"
	"slices"
)

// bar is a piece of a horizontal bar: SVG attributes, as the content policy allows no style attributes.
type bar struct {
	Class, Label string
	X, Width     string // in per cent
}

// Bars splits the baseline into what was paid and what each lever saved, in the order of the report. A lever
// that lost money has no piece: its loss is part of what was paid.
func (r *report) Bars() []bar {
	whole := int64(r.Cost)
	for _, l := range r.Levers {
		whole += max(0, int64(l.Saved))
	}
	var out []bar
	var x Share
	add := func(class, name string, amount Dollars) {
		if share := shareOf(int64(amount), whole); share > 0 {
			share = min(share, 1000-x)
			out = append(out, bar{class, fmt.Sprintf("%s %s", name, amount), x.Width(), share.Width()})
			x += share
		}
	}
	add("paid", "paid", r.Cost)
	for _, l := range r.Levers {
		add(leverClass(l.Lever), l.Lever, l.Saved)
	}
	return out
}

// leverClasses are the levers that have a colour of their own in the style sheet.
var leverClasses = []string{"tier", "exact_cache", "prompt_cache", "self_hosting", "output_cap"}

func leverClass(lever string) string {
	if slices.Contains(leverClasses, lever) {
		return lever
	}
	return "lever"
}

// meter is a bar of how full something is, with a second piece on top.
type meter struct {
	Class         string
	Label         string
	First, Second string // widths in per cent
}

// meterOf returns the bar for a share and one that comes on top of it. It turns to a warning at 80% and is
// full at 100%.
func meterOf(first, second Share) meter {
	m := meter{Class: "fine", Label: (first + second).String()}
	switch total := first + second; {
	case total >= 1000:
		m.Class = "full"
	case total >= 800:
		m.Class = "high"
	}
	first = min(max(first, 0), 1000)
	m.First, m.Second = first.Width(), min(max(second, 0), 1000-first).Width()
	return m
}

// megabytes prints a number of bytes.
func megabytes(bytes int) string { return fmt.Sprintf("%d.%d MB", bytes>>20, (bytes&(1<<20-1))*10>>20) }
