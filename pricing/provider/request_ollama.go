package provider

import "github.com/farebox-mesh/farebox/pricing/jsonscan"

var (
	ollamaFields = setOf(fModel, fMessages, fPrompt, fSystem, fImages, fTools, fFormat, fOptions, fStream)
	optionFields = setOf(fNumPredict, fTemperature, fTopP, fTopK, fPresencePenalty, fFrequencyPenalty, fStop)
	tgiFields    = setOf(fInputs, fParameters, fStream)
	tgiOptions   = setOf(fMaxNewTokens, fBestOf, fTemperature, fTopP, fTopK, fFrequencyPenalty, fStop)
)

// ollama reads the body of a call in Ollama's own format, which streams unless it is told not to.
// Source: https://docs.ollama.com/api, read in November 2026.
func (p *requestParser) ollama(root jsonscan.Token) {
	p.r.Stream = true
	o := object{start: root, acts: &ollamaFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fMessages:
			p.messages()
		case fPrompt:
			p.s.Skip()
			p.said(&message{role: user})
		case fSystem:
			if v := p.s.Skip(); v.Kind != jsonscan.Null {
				p.instructions(spanOf(v))
			}
		case fImages:
			p.imageList()
		case fTools:
			p.toolList()
		case fFormat:
			p.mark(StructuredOutput)
		case fOptions:
			p.generation(&optionFields)
		case fStream:
			if v := p.s.Next(); v.Kind == jsonscan.False {
				p.r.Stream = false
			} else if v.Kind != jsonscan.True && v.Kind != jsonscan.Null {
				p.mistyped("a boolean")
			}
		default:
			p.common(f)
		}
	}
}

// tgi reads the body of a call in the own format of Hugging Face's Text Generation Inference, which serves one model.
// Source: https://huggingface.github.io/text-generation-inference, read in November 2026.
func (p *requestParser) tgi(root jsonscan.Token) {
	if p.r.Model == "" {
		p.r.Model = "tgi" // what its OpenAI format calls it too
	}
	o := object{start: root, acts: &tgiFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fInputs:
			p.prompts()
		case fParameters:
			p.generation(&tgiOptions)
		default:
			p.common(f)
		}
	}
}

// generation reads an object of options that holds the cap.
func (p *requestParser) generation(acts *fieldSet) {
	v := p.s.Next()
	if v.Kind != jsonscan.Object && v.Kind != jsonscan.Null {
		p.mistyped("an object")
	}
	o := object{start: v, acts: acts}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fNumPredict, fMaxNewTokens:
			p.r.cap = p.limit()
		case fBestOf:
			p.choices()
		case fPresencePenalty, fFrequencyPenalty:
			p.penalty()
		default:
			p.common(f)
		}
	}
	p.r.config = spanOf(p.s.Whole(v))
}
