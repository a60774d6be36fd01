package provider

import (
	"strconv"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// formParser reads one form into what requestParser makes of JSON.
type formParser struct {
	requestParser
	form      formReader
	seen      [len(formFields)]bool
	elsewhere bool // a text may tell the provider where to find a file
}

// formFields are the fields that are acted on, each of which a form may have once.
var formFields = [...]string{"model", "stream", "prompt", "n", "size", "quality", "partial_images", "output_format",
	"frame_count", "chunking_strategy"}

// ParseForm reads the body of a call to ep that TakesForm for its content type: an upload of pictures or sound. It is
// to such calls what ParseRequest is to those in JSON; nothing in them is ever edited. The error is a *RequestError.
// Time is linear in the length of the body; the caller limits that.
//
// A form that two parsers might read differently where money is at stake is refused: see formReader for how it is
// split; a field of formFields that appears twice, has a file name, or whose name is spelled in another case or with
// brackets; a transfer encoding; parts within parts; names with escapes. Of other fields, one with a text that may name a
// file elsewhere leaves the form without a bound.
func ParseForm(ep Endpoint, path, contentType string, body []byte) (Request, error) {
	p := formParser{form: newFormReader(contentType, body)}
	p.r = Request{Endpoint: ep, Choices: 1, Messages: 1, Form: true, body: body, path: path}
	p.r.OpenSeconds = ep.API == OpenAITranscription // until a file says how long it is
	for part, ok := p.form.next(); ok && p.err == nil; part, ok = p.form.next() {
		p.part(&part)
	}
	if p.form.fault != "" {
		p.fail("", CodeInvalidForm, p.form.fault)
	}
	if p.err == nil && p.r.Model == "" {
		p.fail("model", CodeMissing, `"model" is required`)
	}
	if p.err != nil {
		return Request{}, p.err
	}
	p.finishForm()
	return p.r, nil
}

// finishForm derives what only the whole form tells.
func (p *formParser) finishForm() {
	r := &p.r
	if r.API == OpenAIImages {
		p.finishImages()
	}
	if p.elsewhere || r.mediaParts == 0 {
		r.OpenSeconds = r.API == OpenAITranscription
	}
	p.finish()
}

// part reads one part of the form.
func (p *formParser) part(part *formPart) {
	base, _, _ := strings.Cut(part.name, "[")
	for i, name := range formFields {
		switch {
		case !strings.EqualFold(base, name):
			continue
		case part.name != name:
			p.fail(name, CodeAmbiguousKey, `"`+part.name+`" differs from "`+name+`" only in case or by brackets; providers differ in how they read it`)
		case p.seen[i]:
			p.fail(name, CodeDuplicateKey, `"`+name+`" appears twice; providers differ in which one they read`)
		case part.file || !part.plainText():
			p.fail(name, CodeInvalidType, `"`+name+`" must be plain text, not a file`)
		default:
			p.seen[i] = true
			p.field(name, string(part.value))
		}
		return
	}
	switch {
	case strings.EqualFold(part.name, "_charset_"): // RFC 7578, section 4.6: how other parts are encoded
		p.fail(part.name, CodeInvalidForm, `"_charset_" changes how providers read the form`)
	case part.file:
		p.upload(base, part.value)
	default:
		p.otherText(base, part.value)
	}
}

// field reads a field that is acted on.
func (p *formParser) field(name, value string) {
	r, images := &p.r, p.r.API == OpenAIImages
	switch {
	case name == "model":
		p.formModel(value)
	case name == "stream":
		switch strings.ToLower(value) {
		case "true", "1", "on", "yes", "t", "y":
			r.Stream = true
		}
	case name == "chunking_strategy" && !images:
		// Each chunk is a prompt with an answer of its own, and nothing says how many there are.
		r.OpenPieces = true
	case !images || value == "":
	case name == "n":
		r.Choices = p.number(name, value, 1)
	case name == "partial_images":
		p.partials = p.number(name, value, 0)
	case name == "size":
		r.Size = shortWord(value)
	case name == "quality":
		r.Quality = shortWord(value)
	case name == "output_format":
		r.OpenPieces = r.OpenPieces || value != "png" && value != "jpeg" && value != "webp"
	case name == "frame_count": // each frame of an animation is a picture
		r.OpenPieces = true
	}
}

// formModel reads the model, which the path holds at Azure. Names have neither spaces nor what is not ASCII: a provider
// that trims or decodes would read another one.
func (p *formParser) formModel(value string) {
	if p.r.ModelAt.End > 0 {
		return
	}
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			p.fail("model", CodeInvalidType, `"model" must be a name without spaces`)
			return
		}
	}
	p.r.Model = pricing.ModelName(value)
}

// number reads a whole number.
func (p *formParser) number(name, value string, least int64) int64 {
	const longest = 9 // digits
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || value[0] == '+' || len(value) > longest || n < least {
		p.fail(name, CodeInvalidType, `"`+name+`" must be a whole number of at least `+strconv.FormatInt(least, 10))
		return least
	}
	return n
}

// shortWord returns a word of the client's, "unknown" for what is none.
func shortWord(value string) string {
	const longest = 32
	if len(value) > longest {
		return "unknown"
	}
	return value
}

// upload reads a file.
func (p *formParser) upload(name string, file []byte) {
	r, size := &p.r, int64(len(file))
	r.mediaParts++
	r.mediaBytes += size
	if r.API == OpenAIImages {
		r.Facts |= Images
		r.ImageParts++
		if name == "image" || name == "mask" { // a picture, whatever its bytes
			r.imageFloor += mostImageTokens(r.API) - size
			return
		}
		r.imageFloor += max(0, mostImageTokens(r.API)-size)
		return
	}
	r.Facts |= Audio
	r.unbounded = true // bytes say little of the tokens of sound
	seconds, ok := secondsOf(file)
	r.OpenSeconds = !ok || r.OpenSeconds && r.mediaParts > 1
	r.Pieces.Seconds += seconds
}

// formTexts are the fields of text, beside formFields, that cannot name a file. Any other text may: vendors have url,
// file_url, file_id and data URLs in known_speaker_references, and add to them.
//
// Sources, as read in November 2026: the API references of OpenAI ("Create transcription", "Create translation",
// "Create image edit", "Create image variation"), Groq ("Create transcription"), Mistral ("Create Transcription") and
// OpenRouter ("Create audio transcription"); https://docs.vllm.ai, "Transcriptions API", "Extra parameters".
var formTexts = map[string]bool{
	// Sound: how it is read, and what is said of it.
	"language": true, "languages": true, "keywords": true, "context_bias": true, "temperature": true, "include": true,
	"timestamp_granularities": true, "diarize": true, "known_speaker_names": true, "response_format": true,
	// Pictures.
	"background": true, "input_fidelity": true, "moderation": true, "output_compression": true, "style": true, "user": true,
	// vLLM.
	"to_language": true, "seed": true, "top_p": true, "top_k": true, "min_p": true, "frequency_penalty": true,
	"presence_penalty": true, "repetition_penalty": true, "max_completion_tokens": true,
	"stream_include_usage": true, "stream_continuous_usage_stats": true,
}

// otherText reads a text that may say where the provider finds a file.
func (p *formParser) otherText(name string, value []byte) {
	if len(value) > 0 && (strings.EqualFold(name, "provider") || strings.EqualFold(name, "providerOptions")) {
		p.r.Facts |= HostChoice
	}
	if len(value) > 0 && !formTexts[strings.ToLower(name)] {
		p.elsewhere = true
		p.r.Facts |= RemoteContent
	}
}

// soundBytes is how many bytes a second of a recording has on average: 64 kbit/s, MP3 of speech. It serves expectations
// only.
const soundBytes = 8000

// Sound returns what the call is expected to be billed by the length of sound, in or out: the seconds of a recording,
// the characters of a text to be spoken. Answers in plain text or sound state neither.
func (r *Request) Sound() pricing.Usage {
	u := pricing.Usage{Seconds: r.Pieces.Seconds, Characters: r.Pieces.Characters}
	if r.OpenSeconds {
		u.Seconds = (r.mediaBytes + soundBytes - 1) / soundBytes
	}
	return u
}
