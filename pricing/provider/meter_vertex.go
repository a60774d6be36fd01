package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// predicted is what the answer to a predict call counts.
type predicted struct {
	tokens, characters count
	pictures           int64
	filtered           bool // a picture was held back, which is not charged
}

// predictObject reads an answer to a predict call: pictures, or embeddings of texts, each with its tokens. The models
// before Gemini are paid by the character, which are counted beside them.
//
// Sources, as read in November 2026: the Vertex AI model reference, "Text embeddings API" and "Generate images".
func (m *Meter) predictObject(s *jsonscan.Scanner, o jsonscan.Token) {
	var p predicted
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "error":
			m.setError(s)
		case "predictions":
			list := s.Next()
			for one, ok := s.Element(list); ok; one, ok = s.Element(list) {
				p.prediction(s, one)
			}
		case "metadata":
			p.characters.member(s, "billableCharacterCount")
		}
	}
	switch {
	case s.Err() != nil:
	case p.pictures > 0 || p.filtered:
		m.setUsage(pricing.Usage{Images: p.pictures}, false)
	case p.tokens.set:
		m.setUsage(pricing.Usage{Input: p.tokens.n, Characters: p.characters.n}, p.tokens.negative || p.characters.negative)
	case p.characters.set: // the lists have the same price by the token, of four characters
		m.setUsage(pricing.Usage{Input: EstimateTokens(p.characters.n), Characters: p.characters.n}, p.tokens.negative || p.characters.negative)
	}
}

// prediction reads one of several.
func (p *predicted) prediction(s *jsonscan.Scanner, o jsonscan.Token) {
	made, filtered := false, false
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "bytesBase64Encoded", "gcsUri":
			made = s.Next().Kind == jsonscan.String || made
		case "raiFilteredReason":
			filtered = s.Next().Kind == jsonscan.String
		case "embeddings":
			p.embeddings(s)
		}
	}
	p.filtered = p.filtered || filtered
	if made && !filtered {
		p.pictures++
	}
}

// embeddings reads the tokens of a text. The vector is passed over.
func (p *predicted) embeddings(s *jsonscan.Scanner) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		if string(s.Text(key)) != "statistics" {
			continue
		}
		var tokens count
		if tokens.member(s, "token_count"); tokens.set {
			p.tokens = p.tokens.plus(tokens)
		}
	}
}
