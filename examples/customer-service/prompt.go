package main

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strings"
)

// handbook is the text of the shared system prompt.
//
//go:embed handbook.txt
var handbook string

// The test provider answers a system prompt with the word "intent" by a label of two words.
var instructions = map[feature]string{
	intent: "You classify the intent of the customer's last message. Answer with one label of two words and nothing else: " +
		"billing question, account support, order change, payment request, service report or general question.\n\n",
	reply:      "You write the reply to the customer's last message, following the handbook.\n\n",
	escalation: "You prepare complex cases for the team leads: facts, what the handbook says, a decision and a letter.\n\n",
}

const (
	// systemBytes is the size of a system prompt: enough for the largest minimum of a provider's prompt cache,
	// 4,096 tokens, which farebox also assumes where a model's is not known.
	systemBytes = 17_000
	// threadBytes is the size of a customer's thread, in tokens about as large.
	threadBytes = 14_500
)

// systems returns the system prompts: instructions, the handbook and the list of products, in all runs the same.
func systems() map[feature]string {
	g := &generator{rng: rand.New(rand.NewPCG(1, 1))}
	var list strings.Builder
	list.WriteString("\n12. Products, with price, warehouse, weight, days of return and years of guarantee.\n")
	for list.Len()+len(handbook) < systemBytes {
		fmt.Fprintf(&list, "%s %s: %d.%02d EUR, %s, %d.%d kg, %d days, %d years\n", g.pick(makers), g.pick(goods),
			5+g.rng.IntN(500), g.rng.IntN(100), g.pick(warehouses), g.rng.IntN(40), g.rng.IntN(10), 14+g.rng.IntN(47), 2+g.rng.IntN(4))
	}
	all := map[feature]string{}
	for what, text := range instructions {
		all[what] = text + handbook + list.String()
	}
	return all
}

// prompt is what the application sends, in no format yet.
type prompt struct {
	System    string
	User      string
	MaxTokens int // output cap
}

func (g *generator) prompt(what feature) prompt {
	switch what {
	case intent:
		return prompt{g.systems[what], g.thread(threadBytes), 64}
	case reply:
		return prompt{g.systems[what], g.thread(threadBytes), 600}
	case escalation:
		return prompt{g.systems[what], g.thread(threadBytes) + ordered(orderedEscalated), 1000}
	}
	// The test provider writes as many tokens as are ordered.
	return prompt{User: fmt.Sprintf("Attempt %d. Think again and write the whole plan anew.%s", g.rng.Uint32(), ordered(orderedRunaway)), MaxTokens: 4000}
}

func ordered(tokens int) string { return fmt.Sprintf("\n[[tokens=%d]]", tokens) }

// thread writes what is known of a customer's order, then the messages, about size bytes in all.
func (g *generator) thread(size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Order %d, status %s, %d items, total %d.%02d EUR, warehouse %s.\n",
		10_000_000+g.rng.IntN(90_000_000), g.pick(statuses), 1+g.rng.IntN(9), 10+g.rng.IntN(900), g.rng.IntN(100), g.pick(warehouses))
	for b.Len() < size*3/4 {
		fmt.Fprintf(&b, "%02d.%02d. %02d:%02d parcel %d-%d %s, %s\n", 1+g.rng.IntN(28), 8+g.rng.IntN(4), g.rng.IntN(24), g.rng.IntN(60),
			1000+g.rng.IntN(9000), g.rng.IntN(100), g.pick(events), g.pick(goods))
	}
	for turn := 0; b.Len() < size; turn++ {
		lines := remarks
		fmt.Fprintf(&b, "\n%s, %d %s:\n", g.pick(names), 1+g.rng.IntN(28), g.pick(months))
		if turn%2 == 1 {
			lines = answers
		}
		for range 3 + g.rng.IntN(4) {
			fmt.Fprintf(&b, g.pick(lines)+" ", g.pick(goods), 2+g.rng.IntN(97))
		}
	}
	return strings.TrimSpace(b.String())
}

func (g *generator) pick(from []string) string { return from[g.rng.IntN(len(from))] }

var (
	statuses   = []string{"OPEN", "PICKING", "SENT", "DELIVERED", "RETURNED"}
	warehouses = []string{"north", "centre", "south"}
	makers     = []string{"Alder", "Birk", "Corvo", "Delta", "Esker", "Fjord", "Gala", "Hemma"}
	events     = []string{"booked", "picked", "loaded", "scanned in the depot", "on its way", "not met", "left with a neighbour", "returned"}
	months     = []string{"August", "September", "October", "November"}
	names      = []string{"Ana", "Bram", "Chloe", "Dario", "Elif", "Femke", "Giulia", "Hugo", "Ines", "Jonas", "Karin", "Lars", "Marta", "Nils"}
	goods      = []string{
		"garden table", "cordless drill", "bed frame", "desk lamp", "parasol", "tool box", "kitchen scale", "lawn mower",
		"wardrobe", "set of chairs", "battery pack", "wall paint", "mattress", "extension lead", "bookcase", "barbecue",
	}
)

// Lines take a product and a number.
var remarks = []string{
	"I ordered the %s and it has still not arrived after %d days.",
	"The tracking page for the %s has shown the same line for %d hours.",
	"The box with the %s was open and %d screws were missing.",
	"I would like to exchange the %s for the model with the number %d.",
	"Your last message about the %s promised a call within %d hours and nobody called.",
	"I was charged twice for the %s, the second time %d euros more.",
	"My neighbour accepted the %s although I live at number %d.",
	"Could you tell me whether the %s can be delivered to the floor on which I live, which is reached by %d steps?",
	"The %s makes a noise after about %d minutes and then switches itself off.",
	"I returned the %s and the carrier's receipt says that the parcel weighed %d kilograms.",
	"The invoice for the %s shows an address that I left %d months ago.",
	"I cannot sign in to look at the order of the %s, the page asks for a code of %d digits.",
	"The price of the %s went down by %d euros on the day after I had paid.",
	"Please cancel the %s, I found it elsewhere and have waited %d days already.",
	"The manual of the %s has only pages up to %d in my language.",
	"I want to pay for the %s in instalments and move the next one by %d days.",
}

var answers = []string{
	"Thank you for your patience with the %s; your case now has the reference %d.",
	"We have asked the carrier about the %s and expect an answer within %d hours.",
	"Please send us a photograph of the %s and of the type plate, up to %d megabytes.",
	"The warehouse has booked the %s, and the refund takes up to %d working days.",
	"We can send another %s at no cost, or grant a voucher of %d euros, as you prefer.",
	"The %s is in stock again in calendar week %d.",
	"We are sorry for the trouble with the %s and have noted the %d days of delay.",
	"To go on with the %s we need the postcode of the delivery address and the number of the order, which has %d digits.",
}
