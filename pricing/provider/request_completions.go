package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

var (
	completionFields = setOf(fModel, fPrompt, fStream, fStreamOptions, fMaxTokens, fN, fBestOf, fTemperature, fTopP, fTopK,
		fPresencePenalty, fFrequencyPenalty, fLogitBias, fLogprobs, fStop, fResponseFormat, fServiceTier, fModels,
		fPreset, fRoute, fPlugins, fProvider, fProviderOptions)
	embeddingFields = setOf(fModel, fInput, fInputs, fPrompt, fTexts, fImages, fContent, fRequests, fServiceTier,
		fProvider, fProviderOptions)
	requestFields = setOf(fContent)
	imageFields   = setOf(fModel, fPrompt, fN, fSize, fQuality, fStream, fPartialImages, fImages,
		fProvider, fProviderOptions)
	speechFields = setOf(fModel, fInput, fProvider, fProviderOptions)
)

// completions reads the body of an OpenAI text completion. Each prompt of a list gets answers of its own.
func (p *requestParser) completions(root jsonscan.Token) {
	prompts := int64(1)
	o := object{start: root, acts: &completionFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fPrompt:
			prompts = p.prompts()
		case fStreamOptions:
			p.streamOptions()
		case fMaxTokens:
			p.r.cap = p.limit()
		case fN, fBestOf:
			p.choices()
		default:
			p.openAI(f)
		}
	}
	p.r.Choices = min(p.r.Choices*prompts, maxCount)
}

// prompts reads one prompt or a list of them and returns how many there are, at least 1. Each is a string or a list of
// token ids.
func (p *requestParser) prompts() int64 {
	v := p.s.Next()
	n, ids := int64(0), false
	for e, ok := p.s.Element(v); ok; e, ok = p.s.Element(v) {
		if e.Kind == jsonscan.Number {
			ids = true
			continue
		}
		p.r.tokenIDs = p.r.tokenIDs || e.Kind == jsonscan.Array
		n++
	}
	p.r.tokenIDs = p.r.tokenIDs || ids
	n = max(n, 1)
	p.r.Messages += int(n)
	return n
}

// embeddings reads the body of a call for embeddings, whoever's: a prompt or several, or Google's contents.
func (p *requestParser) embeddings(root jsonscan.Token) {
	p.r.NoOutput = true
	o := object{start: root, acts: &embeddingFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fInput, fPrompt, fTexts:
			p.prompts()
		case fImages:
			p.imageList()
		case fInputs: // Cohere's, each with parts
			p.messageList(p.s.Next())
		case fContent:
			p.embeddedContent()
		case fRequests:
			p.each(func(v jsonscan.Token) {
				o := object{start: v, acts: &requestFields}
				for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
					p.embeddedContent()
				}
			})
		default:
			p.common(f)
		}
	}
}

func (p *requestParser) embeddedContent() {
	p.geminiMessage(p.s.Next())
}

// images reads the body of a call that makes pictures.
func (p *requestParser) images(root jsonscan.Token) {
	o := object{start: root, acts: &imageFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fPrompt:
			p.prompts()
		case fN:
			p.choices()
		case fSize:
			p.r.Size = p.option(p.s.Next())
		case fQuality:
			p.r.Quality = p.option(p.s.Next())
		case fPartialImages:
			p.partials = max(p.uses(), 0)
		case fImages:
			p.imageList()
		default:
			p.common(f)
		}
	}
	p.finishImages()
}

// finishImages derives what the model and the number of pictures tell.
func (p *requestParser) finishImages() {
	r := &p.r
	r.OutputMedia = true
	r.Pieces.Images = r.Choices
	switch model := string(r.Model); {
	case strings.HasPrefix(model, "gpt-image-1"):
		r.cap.n = mostPictureTokens
	case hasAnyPart(model, "dall-e", "imagen", "flux", "FLUX"): // billed by the picture
		r.NoOutput = true
	}
}

// mostPictureTokens is what a picture of 1024 x 1536 in high quality comes to.
// Source: https://platform.openai.com/docs/guides/image-generation, "Cost and latency", read in November 2026.
const mostPictureTokens = 6240

// option returns what a short string says, "" for null.
func (p *requestParser) option(v jsonscan.Token) string {
	if v.Kind == jsonscan.Null {
		return ""
	}
	return p.label(v)
}

// speech reads the body of a call that speaks a text.
func (p *requestParser) speech(root jsonscan.Token) {
	p.r.OutputMedia = true
	o := object{start: root, acts: &speechFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		if f == fInput {
			v := p.s.Next()
			p.r.Messages = 1
			p.r.Pieces.Characters = characters(p.s.Text(v))
			continue
		}
		p.common(f)
	}
	p.r.NoOutput = strings.HasPrefix(string(p.r.Model), "tts-1") // billed by the character
}

// characters bounds how many characters a string has, from its raw text: an escape is at least one.
func characters(raw []byte) (n int64) {
	for _, c := range raw {
		if c&0xc0 != 0x80 { // not the rest of a character
			n++
		}
	}
	return n
}
