package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

var (
	partFields = setOf(fType, fImageURL, fVideoURL, fInputAudio, fFile, fFileID, fFileURL, fFileData, fSource,
		fContent, fCacheControl, fBreakpoint)
	urlFields    = setOf(fURL)
	fileFields   = setOf(fFileID, fFileData)
	sourceFields = setOf(fType, fData, fMediaType, fContent)
)

// content reads what a message says, a string, parts, or one part, as the output of a computer call is. It adds it to m,
// and returns its span.
func (p *requestParser) content(v jsonscan.Token, m *message) Span {
	p.eachOf(v, func(part jsonscan.Token) { p.part(part, m) })
	return spanOf(p.s.Whole(v))
}

// part reads one part or block of a message of OpenAI's and Anthropic's formats. What it is goes by the keys that
// it has, and by its type where that says more.
func (p *requestParser) part(v jsonscan.Token, m *message) {
	var inner message // what a result holds is the tool's
	o := object{start: v, acts: &partFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fType:
			p.partType(p.text(p.s.Next()), m)
		case fContent:
			p.content(p.s.Next(), &inner)
		case fCacheControl, fBreakpoint:
			p.cacheMark()
		default:
			p.media(f)
		}
	}
}

// partType notes what the type of a part says.
func (p *requestParser) partType(kind []byte, m *message) {
	switch string(kind) {
	case "tool_result":
		m.results = true
	case "thinking", "redacted_thinking":
		p.r.Facts |= SignedReasoning
	case "container_upload":
		p.r.Facts |= RemoteContent
	default:
		// web_search_tool_result and others hold content that is encrypted for the provider.
		if p.anthropicBody() && strings.HasSuffix(string(kind), "_tool_result") {
			p.r.Facts |= SignedReasoning
		}
	}
}

// media reads a field that holds an image, a file or audio.
func (p *requestParser) media(f field) {
	switch f {
	case fImageURL:
		p.imageURL()
	case fVideoURL:
		p.opaque(Images, p.s.Skip())
	case fInputAudio:
		p.opaque(Audio, p.s.Skip())
	case fFile:
		o := object{start: p.s.Next(), acts: &fileFields}
		for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
			p.media(f)
		}
	case fFileData:
		p.opaque(Images, p.s.Skip())
	case fFileID, fFileURL:
		p.remote(p.s.Skip())
	case fSource:
		p.source(p.s.Next())
	}
}

// opaque notes data of which the bytes do not bound the tokens: a compressed document, audio, a still video.
func (p *requestParser) opaque(f Facts, v jsonscan.Token) {
	if v.Kind == jsonscan.Null {
		return
	}
	p.r.Facts |= f
	p.r.unbounded = true
	p.r.mediaParts++
	p.r.mediaBytes += int64(v.End - v.Start)
}

// remote notes content that the provider fetches.
func (p *requestParser) remote(v jsonscan.Token) {
	if v.Kind != jsonscan.Null {
		p.r.Facts |= Images | RemoteContent
		p.r.mediaParts++
	}
}

// imageURL reads a URL, or an object that has one. Data URLs are inline.
func (p *requestParser) imageURL() {
	v := p.s.Next()
	if v.Kind == jsonscan.Object {
		o := object{start: v, acts: &urlFields}
		for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
			p.imageAt(p.s.Next())
		}
		return
	}
	p.imageAt(v)
}

func (p *requestParser) imageAt(url jsonscan.Token) {
	if url.Kind == jsonscan.Null {
		return
	}
	const scheme = "data:"
	raw := p.s.Text(url)
	if url.Kind == jsonscan.String && len(raw) > len(scheme) && strings.EqualFold(string(raw[:len(scheme)]), scheme) {
		const picture = "image" // the slash behind it may be escaped
		if kind := raw[len(scheme):min(len(raw), len(scheme)+len(picture))]; !strings.EqualFold(string(kind), picture) {
			p.opaque(Images, url) // Google takes documents and videos here
			return
		}
		p.image(url)
		return
	}
	p.remote(url)
	p.r.ImageParts++
}

// image notes an image whose data is v.
func (p *requestParser) image(v jsonscan.Token) {
	bytes := int64(v.End - v.Start)
	p.r.Facts |= Images
	p.r.ImageParts++
	p.r.mediaParts++
	p.r.mediaBytes += bytes
	p.r.imageFloor += max(0, mostImageTokens(p.r.API)-bytes)
}

// imageList reads images, each a string of Base64, a URL or a part.
func (p *requestParser) imageList() {
	p.each(func(v jsonscan.Token) {
		switch {
		case v.Kind == jsonscan.Object:
			var inner message
			p.part(v, &inner)
		case v.Kind == jsonscan.String && strings.HasPrefix(string(p.s.Text(v)), "http"):
			p.remote(v)
			p.r.ImageParts++
		default:
			p.image(v)
		}
	})
}

// source reads where an Anthropic image or document comes from. The source of a search result is a plain string.
func (p *requestParser) source(v jsonscan.Token) {
	var kind, data, media jsonscan.Token
	var inner message
	o := object{start: v, acts: &sourceFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fType:
			kind = p.s.Next()
		case fData:
			data = p.s.Next()
		case fMediaType:
			media = p.s.Next()
		case fContent:
			p.content(p.s.Next(), &inner)
		}
	}
	switch string(p.text(kind)) {
	case "base64":
		p.inline(media, data)
	case "url", "file":
		p.remote(kind)
		p.r.ImageParts++
	}
}

// inline notes data of a stated media type. Documents and videos are for models that see, like images.
func (p *requestParser) inline(media, data jsonscan.Token) {
	switch kind := string(p.text(media)); {
	case strings.HasPrefix(kind, "text/"):
	case strings.HasPrefix(kind, "image/"):
		p.image(data)
	case strings.HasPrefix(kind, "audio/"):
		p.opaque(Audio, data)
	default:
		p.opaque(Images, data)
	}
}
