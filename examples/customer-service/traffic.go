package main

import "math/rand/v2"

// feature is what the application does with a call. Its text is the label that calls carry; a runaway has none.
type feature string

const (
	intent     feature = "intent"     // classification, answered in two words
	reply      feature = "reply"      // an answer to a customer
	escalation feature = "escalation" // a complex case
	runaway    feature = ""           // an experiment that asks again and again
)

// The shape of the traffic. Half of the input is the same system prompt, see prompt.go.
const (
	days             = 2
	intentShare      = 0.80 // of the calls; some 78% of the money at the prices of the largest models
	escalationShare  = 0.03
	repeatShare      = 0.40 // of what is neither an escalation nor a runaway
	streamShare      = 0.60 // of all but classifications
	runawayShare     = 0.02 // on top of the calls
	fewestRunaways   = 30
	repeatsFrom      = 3 * workers // a repeat comes when its original has been answered
	anthropicShare   = 0.55
	openaiShare      = 0.40 // the rest is Gemini
	runawayTeam      = "labs"
	orderedRunaway   = 3000 // tokens of an answer
	orderedEscalated = 400
)

// teams are the shops that the service works for. Each pays for its own calls.
var teams = []string{
	"shop-at", "shop-be", "shop-ch", "shop-de", "shop-dk", "shop-es", "shop-fr", "shop-it", "shop-nl", "shop-pl", "shop-se",
}

// call is one request of the naive application, which asks for the largest model whatever it does.
type call struct {
	Feature feature
	Team    string
	API     api
	Stream  bool
	Repeat  bool // the same request was sent before
	Prompt  prompt
}

// request is the call as it goes over the wire.
func (c *call) request() (path string, body []byte) { return c.API.request(c.Prompt, c.Stream) }

// traffic returns the calls of each day. The same seed and number give the same calls, byte for byte. Runaway calls
// come on top of n.
func traffic(seed uint64, n int) [days][]call {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 2)), systems: systems()}
	var all [days][]call
	runaways := max(fewestRunaways, int(float64(n)*runawayShare))
	for i := range n {
		day := i * days / n
		all[day] = append(all[day], g.next())
		// Runaways come on the last day, evenly among the others.
		if begun := n * (days - 1) / days; i >= begun {
			done, left := i-begun, n-begun
			for range (done+1)*runaways/left - done*runaways/left {
				all[day] = append(all[day], g.fresh(runaway))
			}
		}
	}
	return all
}

// generator makes calls one after another.
type generator struct {
	rng     *rand.Rand
	systems map[feature]string // system prompts
	asked   []call             // what may be repeated, in order
}

// next returns another call: a new question, or one that was asked before.
func (g *generator) next() call {
	kind := g.rng.Float64()
	if kind < escalationShare {
		return g.fresh(escalation)
	}
	if settled := len(g.asked) - repeatsFrom; settled > 0 && g.rng.Float64() < repeatShare {
		c := g.asked[g.rng.IntN(settled)]
		c.Repeat = true
		return c
	}
	what := reply
	if kind < escalationShare+intentShare {
		what = intent
	}
	c := g.fresh(what)
	g.asked = append(g.asked, c)
	return c
}

// fresh returns a call that was not made before.
func (g *generator) fresh(what feature) call {
	c := call{Feature: what, Team: teams[g.rng.IntN(len(teams))], API: g.api(), Prompt: g.prompt(what)}
	if what != intent {
		c.Stream = g.rng.Float64() < streamShare
	}
	if what == runaway {
		c.Team, c.API = runawayTeam, anthropic
	}
	return c
}

func (g *generator) api() api {
	switch x := g.rng.Float64(); {
	case x < anthropicShare:
		return anthropic
	case x < anthropicShare+openaiShare:
		return openai
	}
	return google
}
