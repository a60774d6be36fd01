package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// mediaTable is the usage of OpenAI's images and sounds: tokens as elsewhere, or seconds.
var mediaTable = table{
	"prompt_tokens":         openAITable["prompt_tokens"],
	"input_tokens":          openAITable["input_tokens"],
	"completion_tokens":     openAITable["completion_tokens"],
	"output_tokens":         openAITable["output_tokens"],
	"total_tokens":          openAITable["total_tokens"],
	"seconds":               {to: ofSeconds},
	"prompt_audio_seconds":  {to: ofSeconds}, // Mistral
	"input_tokens_details":  {in: mediaDetails},
	"input_token_details":   {in: mediaDetails},
	"prompt_tokens_details": {in: mediaDetails},
	"output_tokens_details": {in: mediaAnswerDetails},
	"output_token_details":  {in: mediaAnswerDetails},
	"cost":                  {take: takeDollars},
	"cost_in_usd_ticks":     {take: takeTicks},
}

var mediaDetails = table{
	"cached_tokens":         openAIDetails["cached_tokens"],
	"cached_tokens_details": openAIDetails["cached_tokens_details"],
	"audio_tokens":          {to: ofInputAudio},
	"image_tokens":          {to: ofInputImage},
}

var mediaAnswerDetails = table{
	"audio_tokens": {to: ofOutputAudio},
	"image_tokens": {to: ofOutputImage},
	"text_tokens":  {to: ofOutputText},
}

// mediaObject reads an answer of OpenAI's image and audio APIs, or an event of one. Where it states no usage, pictures
// are counted, and the seconds of a transcript. Sources: the OpenAI API reference, "Images", "Audio" and their events.
func (m *Meter) mediaObject(s *jsonscan.Scanner, o jsonscan.Token) {
	var usage tally
	var duration count
	pictures := int64(0)
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "model":
			m.setModel(s)
		case "error":
			m.setError(s)
		case "usage":
			usage = readTally(s, mediaTable)
		case "duration":
			duration.read(s)
		case "text": // after pieces of it, all of it again
			if n := readTextLen(s); !m.stream {
				m.text += n
			}
		case "delta":
			m.countText(s)
		case "data":
			list := s.Next()
			for _, ok := s.Element(list); ok; _, ok = s.Element(list) {
				pictures++
			}
		case "type":
			switch string(s.Text(s.Next())) {
			case "image_generation.completed", "image_edit.completed":
				m.ended, pictures = true, pictures+1
			case "speech.audio.done", "transcript.text.done":
				m.ended = true
			}
		}
	}
	if s.Err() == nil {
		m.setMedia(&usage, duration, pictures)
	}
}

// setMedia takes what was counted.
func (m *Meter) setMedia(t *tally, duration count, pictures int64) {
	if t.cost.set {
		m.cost = t.cost
	}
	switch {
	case t.states(ofPrompt, ofAnswer, ofTotal):
		switch answer := &t.n[ofAnswer]; {
		case m.api == OpenAISpeech:
			t.n[ofOutputAudio] = *answer
		case m.api == OpenAIImages && !t.states(ofOutputImage, ofOutputText):
			t.n[ofOutputImage] = *answer
		}
		m.setUsage(m.openAIUsage(t), t.negative())
	case t.states(ofSeconds):
		m.setUsage(pricing.Usage{Seconds: m.billed(t.of(ofSeconds))}, t.negative())
	case m.api == OpenAITranscription && duration.set:
		m.setUsage(pricing.Usage{Seconds: m.billed(duration.n)}, duration.negative)
	case m.api == OpenAIImages && pictures > 0:
		m.pictures += pictures
		m.setUsage(pricing.Usage{Images: m.pictures}, false)
	}
}

// billed is for how long a recording is billed.
func (m *Meter) billed(seconds int64) int64 {
	if m.vendor == Groq {
		return max(seconds, leastSeconds)
	}
	return seconds
}

// embedObject reads an answer of the embedding APIs of OpenAI, Google and Ollama. The vectors are passed over.
func (m *Meter) embedObject(s *jsonscan.Scanner, o jsonscan.Token) {
	var prompt count
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "model", "modelVersion":
			m.setModel(s)
		case "error":
			m.setError(s)
		case "usage":
			usage := readTally(s, openAITable)
			m.setOpenAI(&usage)
		case "usageMetadata":
			m.readGemini(s)
		case "prompt_eval_count":
			prompt.read(s)
		}
	}
	if prompt.set && s.Err() == nil {
		m.setUsage(pricing.Usage{Input: prompt.n}, prompt.negative)
	}
}
