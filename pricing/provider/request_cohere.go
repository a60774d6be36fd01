package provider

import "github.com/farebox-mesh/farebox/pricing/jsonscan"

var (
	cohereFields = setOf(fModel, fMessages, fMessage, fPrompt, fChatHistory, fPreamble, fConnectors, fConversationID,
		fTools, fMaxTokens, fNumGenerations, fStream, fTemperature, fStopSequences, fResponseFormat)
	rerankFields = setOf(fModel, fQuery, fDocuments, fProvider, fProviderOptions)
)

// cohere reads the body of a chat with Cohere, of the first or second version of its API, and of its older completion.
// Source: https://docs.cohere.com/reference/chat, read in November 2026.
func (p *requestParser) cohere(root jsonscan.Token) {
	o := object{start: root, acts: &cohereFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fMessages, fChatHistory:
			p.messages()
		case fMessage, fPrompt:
			p.s.Skip()
			p.said(&message{role: user})
		case fPreamble:
			if v := p.s.Skip(); v.Kind != jsonscan.Null {
				p.instructions(spanOf(v))
			}
		case fConnectors:
			if p.stated() {
				p.serverTool("web_search", -1)
			}
		case fConversationID:
			p.mark(HeldState)
		case fTools:
			p.cohereTools()
		case fMaxTokens:
			p.r.cap = p.limit()
		case fNumGenerations:
			p.choices()
		case fResponseFormat:
			p.format()
		default:
			p.common(f)
		}
	}
}

// cohereTools counts tools: all are the client's.
func (p *requestParser) cohereTools() {
	list := p.s.Next()
	for _, ok := p.s.Element(list); ok; _, ok = p.s.Element(list) {
		p.r.Tools++
	}
	p.toolBytes(p.s.Whole(list))
}

// rerank reads the body of a call that ranks documents.
//
// Cohere bills search units: a query with up to 100 documents is one, and a document counts again for every 500 tokens
// that it has together with the query (https://docs.cohere.com/docs/how-does-cohere-pricing-work). As no token is shorter
// than a byte, bytes bound that; of a query, at most 400 tokens are taken into account. Voyage and Jina count the query
// once for each document (https://docs.voyageai.com/docs/pricing). Both as read in November 2026.
func (p *requestParser) rerank(root jsonscan.Token) {
	p.r.NoOutput = true
	o := object{start: root, acts: &rerankFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fQuery:
			v := p.s.Skip()
			p.query = v.End - v.Start
		case fDocuments:
			list := p.s.Next()
			for v, ok := p.s.Element(list); ok; v, ok = p.s.Element(list) {
				v = p.s.Whole(v)
				p.ranked += v.End - v.Start
				p.r.Messages++
			}
		default:
			p.common(f)
		}
	}
	const chunk, mostQuery, perUnit = 500, 400, 100
	chunks := p.ranked/(chunk-min(p.query, mostQuery)) + p.r.Messages
	p.r.Pieces.SearchUnits = int64((chunks + perUnit - 1) / perUnit)
	p.r.extraInput = int64(p.query) * int64(p.r.Messages)
}
