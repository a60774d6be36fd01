package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

var (
	chatFields = setOf(fEnableSearch, fExtraBody, fGoogle, fModel, fMessages, fStream, fStreamOptions, fMaxTokens, fMaxCompletionTokens, fN, fBestOf,
		fTemperature, fTopP, fTopK, fPresencePenalty, fFrequencyPenalty, fLogitBias, fLogprobs, fTopLogprobs,
		fReasoningEffort, fVerbosity, fTools, fFunctions, fToolChoice, fResponseFormat, fStop, fServiceTier,
		fPromptCacheKey, fPromptCacheRetention, fPromptCacheOptions, fCacheControl, fModalities, fAudio, fPrediction,
		fWebSearchOptions, fPlugins, fSearchParameters, fDataSources, fModels, fPreset, fRoute, fProvider, fProviderOptions)
	streamOptionFields = setOf(fIncludeUsage)
)

// chat reads the body of an OpenAI chat completion.
func (p *requestParser) chat(root jsonscan.Token) {
	o := object{start: root, acts: &chatFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fMessages:
			p.messages()
		case fEnableSearch:
			p.alibabaSearch()
		case fExtraBody:
			p.extraBody()
		case fGoogle:
			p.googleOptions()
		case fStreamOptions:
			p.streamOptions()
		case fMaxTokens:
			p.r.cap = p.limit()
			if p.r.cap.n != 0 {
				p.r.Facts |= LegacyCap
			}
		case fMaxCompletionTokens:
			p.r.otherCap = p.limit()
		case fN, fBestOf:
			p.choices()
		case fReasoningEffort:
			p.effort()
		case fModalities:
			p.modalities()
		case fAudio:
			if p.stated() {
				p.r.Facts |= Audio
				p.r.OutputMedia = true
			}
		case fPrediction:
			v := p.s.Skip()
			p.r.PredictedBytes = int64(v.End - v.Start)
		case fPlugins: // OpenRouter's: searches, and routers to other models
			if p.stated() {
				p.serverTool("web_search", -1)
				p.r.Facts |= OtherModels
			}
		case fWebSearchOptions:
			p.use.asked = p.stated()
		case fSearchParameters:
			if p.stated() {
				p.serverTool("web_search", -1)
			}
		case fDataSources: // Azure's, which puts what it finds into the prompt
			if p.stated() {
				p.serverTool("mcp", -1)
				p.r.ownData = true
			}
		default:
			p.openAI(f)
		}
	}
}

// openAI reads the fields that OpenAI's two formats share.
func (p *requestParser) openAI(f field) {
	switch f {
	case fTools, fFunctions:
		p.toolList()
	case fToolChoice:
		p.toolChoice()
	case fResponseFormat:
		p.format()
	case fPresencePenalty, fFrequencyPenalty, fLogprobs, fTopLogprobs:
		p.penalty()
	case fLogitBias:
		p.mark(Penalties)
	case fVerbosity:
		p.verbosity()
	case fPromptCacheKey:
		p.cacheKey()
	case fPromptCacheRetention, fPromptCacheOptions:
		p.cacheOption()
	default:
		p.common(f)
	}
}

// common reads the fields that mean the same in all formats which have them.
func (p *requestParser) common(f field) {
	switch f {
	case fModel:
		p.modelName()
	case fStream:
		p.r.Stream = p.flag() || p.r.Stream // which the path may say
	case fTemperature:
		p.temperature()
	case fTopP:
		p.sampling()
	case fTopK:
		p.mark(Sampling)
	case fStop, fStopSequences:
		p.mark(StopSequences)
	case fServiceTier:
		p.serviceTier()
	case fModels, fPreset, fRoute, fPlugins:
		p.mark(OtherModels)
	case fProvider:
		p.routing()
	case fProviderOptions:
		p.mark(HostChoice)
	case fCacheControl:
		p.cacheMark()
	case fStore:
		if p.s.Next().Kind == jsonscan.False {
			p.r.Facts &^= Stored
		}
	case fBackground:
		if v := p.s.Next(); v.Kind != jsonscan.False && v.Kind != jsonscan.Null {
			p.r.Facts |= Background
		}
	case fPreviousResponseID, fPriorInteractionID:
		p.mark(HeldState)
	}
}

func (p *requestParser) streamOptions() {
	v := p.s.Next()
	if v.Kind != jsonscan.Object && v.Kind != jsonscan.Null {
		p.mistyped("an object")
	}
	o := object{start: v, acts: &streamOptionFields}
	for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
		v := p.s.Next()
		switch v.Kind {
		case jsonscan.True:
			p.r.Facts |= IncludeUsage
		case jsonscan.False, jsonscan.Null:
		default:
			p.mistyped("a boolean")
		}
		p.r.include = spanOf(v)
	}
	p.r.options = spanOf(p.s.Whole(v))
}

// modalities reads the kinds of output that are wanted. Google takes them in any case, and by numbers of its own.
func (p *requestParser) modalities() {
	p.each(func(v jsonscan.Token) {
		switch kind := string(p.text(v)); {
		case strings.EqualFold(kind, "text"):
		case strings.EqualFold(kind, "audio"):
			p.r.Facts |= Audio
			p.r.OutputMedia = true
		default:
			p.r.OutputMedia = true
		}
	})
}
