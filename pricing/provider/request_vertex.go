package provider

import "github.com/farebox-mesh/farebox/pricing/jsonscan"

var (
	predictFields   = setOf(fInstances, fParameters)
	predictOptions  = setOf(fSampleCount)
	instanceFields  = setOf(fContent)
	pictureMakers   = []string{"imagen", "imagegeneration", "virtual-try-on"}
	textEmbeddingOf = []string{"text-embedding", "textembedding", "text-multilingual-embedding", "gemini-embedding"}
)

// usualSamples is how many pictures a call gets that does not say.
const usualSamples = 4

// predict reads the body of a predict call to a model of Google's: texts to be embedded, or prompts for pictures. What
// other models make of one, as of pictures and videos to be embedded, is not bounded.
//
// Sources, as read in November 2026: the Vertex AI model reference, "Text embeddings API" and "Generate images".
func (p *requestParser) predict(root jsonscan.Token) {
	r := &p.r
	samples, instances, texts := int64(usualSamples), int64(0), int64(0)
	o := object{start: root, acts: &predictFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		if f == fInstances {
			instances, texts = p.instances()
			continue
		}
		options := object{start: p.s.Next(), acts: &predictOptions}
		for _, ok := p.next(&options); ok; _, ok = p.next(&options) {
			if n := p.uses(); n > 0 {
				samples = n
			}
		}
	}
	r.Messages = int(instances)
	switch model := string(r.Model); {
	case texts == instances && hasAnyPart(model, textEmbeddingOf...):
		r.NoOutput = true
		r.Pieces.Characters = characters(p.body) // beside its tokens
	case hasAnyPart(model, pictureMakers...):
		r.NoOutput, r.OutputMedia = true, true
		r.Pieces.Images = min(max(instances, 1)*samples, maxCount)
	default:
		r.OpenPieces = true
	}
}

// instances reads the inputs of a predict call, and returns how many there are and how many of them are texts.
func (p *requestParser) instances() (all, texts int64) {
	p.each(func(v jsonscan.Token) {
		all++
		o := object{start: v, acts: &instanceFields}
		for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
			texts++
		}
	})
	return all, texts
}
