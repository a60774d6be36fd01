package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A house is a company that serves models behind an address of its own. Several speak OpenAI's API and count or
// charge in their own way. The zero value is the three vendors, whose paths tell them apart.
type house string

const (
	azure      house = "azure_openai"
	bedrockAWS house = "aws_bedrock"
	cohereHome house = "cohere"
	deepseek   house = "deepseek"
	groq       house = "groq"
	mistral    house = "mistral"
	ollamaHome house = "ollama"
	openrouter house = "openrouter"
	vertex     house = "vertex"
	xai        house = "xai"
)

var houses = []house{azure, bedrockAWS, cohereHome, deepseek, groq, mistral, ollamaHome, openrouter, vertex, xai}

// parseHouses reads names separated by commas; "all" is every house.
func parseHouses(text string) ([]house, error) {
	if text == "" {
		return nil, nil
	}
	if text == "all" {
		return houses, nil
	}
	var out []house
	for name := range strings.SplitSeq(text, ",") {
		if !slices.Contains(houses, house(name)) {
			return nil, fmt.Errorf("unknown house %q: use one of %v", name, houses)
		}
		out = append(out, house(name))
	}
	return out, nil
}

// A door is the server at the address of one house.
type door struct {
	server *server
	house  house
}

// ServeHTTP implements http.Handler.
func (d door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.server.serve(d.house, w, r) }

// usagePlace is where a stream of Chat's shape says what it used.
type usagePlace int

const (
	whenAsked   usagePlace = iota // in a chunk of its own, if include_usage is set
	ownChunk                      // in a chunk of its own, always
	withTheLast                   // in the chunk that has finish_reason, always
)

// A chatStyle is how a house differs from OpenAI in Chat.
type chatStyle struct {
	place          usagePlace
	comment        string // before the first event, and before the last
	reasoningApart bool   // completion_tokens leaves reasoning out
	plain          bool   // no fields that only OpenAI has
}

var chatStyles = map[house]chatStyle{
	deepseek:   {place: withTheLast, comment: ": keep-alive\n\n", plain: true},
	groq:       {place: withTheLast, plain: true},
	mistral:    {place: withTheLast, plain: true},
	openrouter: {place: ownChunk, comment: ": OPENROUTER PROCESSING\n\n", plain: true},
	xai:        {place: ownChunk, reasoningApart: true, plain: true},
}
