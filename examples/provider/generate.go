package main

import (
	"encoding/binary"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
)

// words are single o200k tokens, alone and after a space, so that N words are N tokens.
var words = strings.Fields(`the order account customer payment support team service request report plan value result
change system process number detail point example option question answer reason level time date price cost model data
user page file list name state part case group line note item field form type table index test check review update
release version build code path link view source input output text word message call event rule policy limit window
open close start end first second third next last high low new old good clear short long small large simple direct
public local free full main real safe same single strong total true usual valid whole`)

// labels are the two-word answers to intent classification.
var labels = []string{"billing question", "account support", "order change", "payment request", "service report", "general question"}

var directive = regexp.MustCompile(`\[\[(tokens|reasoning|search)=([0-9]{1,7})\]\]|\[\[tool\]\]`)

// stopReason is why an answer ended, before a vendor's spelling of it.
type stopReason int

const (
	stopEnd stopReason = iota
	stopLength
	stopTool
)

// An answer is what the model says: hidden or visible reasoning first, then text or the arguments of a tool call.
type answer struct {
	reasoning int      // tokens
	pieces    []string // one token each
	tool      string   // name of the called tool; empty: pieces are text
	stop      stopReason
}

func (a answer) text() string { return strings.Join(a.pieces, "") }

// thoughts is the reasoning as text, one token a word.
func (a answer) thoughts() []string {
	return sentence(rand.New(rand.NewPCG(7, uint64(a.reasoning))), a.reasoning)
}

// An ask is all that an answer depends on.
type ask struct {
	system, lastUser string
	tools            []string // names that may be called
	forced           string   // this tool must be called; "*" is any
	reasons          bool     // the model may think in this call
	limit            int      // most tokens of one answer, reasoning included; negative: none
}

// generate answers the prompt with the given digest. The same seed, model, prompt and index give the same answer.
func (a ask) generate(seed uint64, m *model, prompt digest, index int) answer {
	name := uint64(0)
	for _, b := range []byte(m.ID) {
		name = name*131 + uint64(b)
	}
	rng := rand.New(rand.NewPCG(seed^binary.LittleEndian.Uint64(prompt[:]), name+uint64(index)))
	tokens, reasoning, _, tool := readDirectives(a.lastUser)
	var out answer
	if a.reasons {
		out.reasoning = reasoning
	}
	switch name := a.toolToCall(tool); {
	case name != "":
		out.tool, out.stop = name, stopTool
		out.pieces = argumentPieces(rng)
	case tokens >= 0:
		out.pieces = sentence(rng, tokens)
	case strings.Contains(a.system, "intent"):
		first, second, _ := strings.Cut(labels[rng.IntN(len(labels))], " ")
		out.pieces = []string{first, " " + second}
	default:
		out.pieces = sentence(rng, 40+rng.IntN(161))
	}
	return out.cut(a.limit)
}

func (a ask) toolToCall(directed bool) string {
	if len(a.tools) == 0 || !directed && a.forced == "" {
		return ""
	}
	if a.forced != "" && a.forced != "*" {
		return a.forced
	}
	return a.tools[0]
}

// cut ends the answer at limit tokens.
func (a answer) cut(limit int) answer {
	if limit < 0 || a.reasoning+len(a.pieces) <= limit {
		return a
	}
	a.reasoning = min(a.reasoning, limit)
	a.pieces = a.pieces[:limit-a.reasoning]
	a.stop = stopLength
	return a
}

// readDirectives finds what the last user message orders; tokens is -1 without an order.
func readDirectives(text string) (tokens, reasoning, searches int, tool bool) {
	tokens = -1
	for _, m := range directive.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[2]) // the expression admits seven digits at most; [[tool]] has none
		switch m[1] {
		case "tokens":
			tokens = n
		case "reasoning":
			reasoning = n
		case "search":
			searches = n
		default:
			tool = true
		}
	}
	return tokens, reasoning, searches, tool
}

// sentence is n words, the first without a space in front.
func sentence(rng *rand.Rand, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = " " + words[rng.IntN(len(words))]
	}
	if n > 0 {
		out[0] = out[0][1:]
	}
	return out
}

// argumentPieces is a JSON object as tool arguments; each piece is one token.
func argumentPieces(rng *rand.Rand) []string {
	return append(append([]string{`{"`, `query`, `":"`}, sentence(rng, 3+rng.IntN(6))...), `"}`)
}

// outputOf sums what answers cost in full.
func outputOf(answers []answer) (output, reasoning int) {
	for _, a := range answers {
		output += a.reasoning + len(a.pieces)
		reasoning += a.reasoning
	}
	return output, reasoning
}

// outputUpTo is the part of the answers that exists once n tokens are generated, answer after answer.
func outputUpTo(answers []answer, n int) (output, reasoning int) {
	for _, a := range answers {
		thought := min(a.reasoning, n-output)
		output += thought
		reasoning += thought
		output += min(len(a.pieces), n-output)
	}
	return output, reasoning
}
