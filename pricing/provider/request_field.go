package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// field is a key that farebox acts on, at the levels where it does.
type field uint16

// The fields by their names; Gemini's camel case is a second spelling of the same field.
const (
	fNone field = iota
	fAdditionalFields
	fAnthropicVersion
	fAgent
	fAny
	fAudio
	fBackground
	fBestOf
	fBreakpoint
	fBudgetTokens
	fBytes
	fCacheControl
	fCachedContent
	fCachePoint
	fCandidateCount
	fChatHistory
	fConnectors
	fContainer
	fContent
	fContents
	fContextManagement
	fConversation
	fConversationID
	fData
	fDataSources
	fDeferLoading
	fDocument
	fDocuments
	fEdits
	fEffort
	fEnableSearch
	fEncryptedContent
	fExtraBody
	fExtraContent
	fEnvironment
	fFallbacks
	fFile
	fFileData
	fFileID
	fFileURL
	fFormat
	fFrequencyPenalty
	fFunctionCallConfig
	fFunctionDeclarations
	fFunctionResponse
	fFunctions
	fGenerationConfig
	fGoogle
	fImage
	fImages
	fImageConfig
	fImageURL
	fInclude
	fIncludeUsage
	fInferenceConfig
	fInferenceGeo
	fInlineData
	fInput
	fInputAudio
	fInputs
	fInputText
	fInstances
	fInstructions
	fLatency
	fLogitBias
	fLogprobs
	fMaxCompletionTokens
	fMaxGenLen
	fMaxNewTokens
	fMaxOutputTokens
	fMaxTokenCount
	fMaxTokens
	fMaxTokensCamel
	fMaxToolCalls
	fMaxUses
	fMCPServers
	fMediaType
	fMemoryLimit
	fMessage
	fMessages
	fMIMEType
	fModalities
	fMode
	fModel
	fModels
	fN
	fNumGenerations
	fNumPredict
	fNumResults
	fOptions
	fOutput
	fOutputConfig
	fOutputFormat
	fParameters
	fPartialImages
	fParts
	fPerformanceConfig
	fPlugins
	fPreamble
	fPrediction
	fPresencePenalty
	fPreset
	fPriorInteractionID
	fPreviousResponseID
	fPrompt
	fPromptCacheKey
	fPromptCacheOptions
	fPromptCacheRetention
	fProvider
	fProviderOptions
	fQuality
	fQuery
	fReasoning
	fReasoningContent
	fReasoningDetails
	fReasoningEffort
	fRequests
	fResponseFormat
	fResponseJSONSchema
	fResponseLogprobs
	fResponseMIMEType
	fResponseModalities
	fResponseSchema
	fResult
	fRole
	fRoute
	fSampleCount
	fSearchParameters
	fServiceTier
	fSignature
	fSize
	fSource
	fSpeechConfig
	fSpeed
	fStop
	fStopSequences
	fStore
	fStream
	fStreamOptions
	fSummary
	fSystem
	fSystemInstruction
	fTemperature
	fText
	fTextGenerationConfig
	fTexts
	fThinking
	fThinkingBlocks
	fThinkingBudget
	fThinkingConfig
	fThinkingLevel
	fThoughtSignature
	fTool
	fToolCalls
	fToolChoice
	fToolConfig
	fToolResult
	fTools
	fToolSpec
	fTopK
	fTopLogprobs
	fTopP
	fTTL
	fType
	fURI
	fURL
	fVerbosity
	fVideo
	fVideoURL
	fWebSearchOptions
	fields // how many
)

// fieldNames holds each field's name, and Gemini's where it differs.
var fieldNames = [fields][2]string{
	fAdditionalFields:     {"additionalModelRequestFields"},
	fAnthropicVersion:     {"anthropic_version"},
	fAgent:                {"agent"},
	fAny:                  {"any"},
	fAudio:                {"audio"},
	fBackground:           {"background"},
	fBestOf:               {"best_of"},
	fBreakpoint:           {"prompt_cache_breakpoint"},
	fBudgetTokens:         {"budget_tokens"},
	fBytes:                {"bytes"},
	fCacheControl:         {"cache_control"},
	fCachedContent:        {"cached_content", "cachedContent"},
	fCachePoint:           {"cachePoint"},
	fCandidateCount:       {"candidate_count", "candidateCount"},
	fChatHistory:          {"chat_history"},
	fConnectors:           {"connectors"},
	fContainer:            {"container"},
	fContent:              {"content"},
	fContents:             {"contents"},
	fContextManagement:    {"context_management"},
	fConversation:         {"conversation"},
	fConversationID:       {"conversation_id"},
	fData:                 {"data"},
	fDataSources:          {"data_sources"},
	fDeferLoading:         {"defer_loading"},
	fDocument:             {"document"},
	fDocuments:            {"documents"},
	fEdits:                {"edits"},
	fEffort:               {"effort"},
	fEnableSearch:         {"enable_search"},
	fEncryptedContent:     {"encrypted_content"},
	fExtraBody:            {"extra_body"},
	fExtraContent:         {"extra_content"},
	fEnvironment:          {"environment"},
	fFallbacks:            {"fallbacks"},
	fFile:                 {"file"},
	fFileData:             {"file_data", "fileData"},
	fFileID:               {"file_id"},
	fFileURL:              {"file_url"},
	fFormat:               {"format"},
	fFrequencyPenalty:     {"frequency_penalty", "frequencyPenalty"},
	fFunctionCallConfig:   {"function_calling_config", "functionCallingConfig"},
	fFunctionDeclarations: {"function_declarations", "functionDeclarations"},
	fFunctionResponse:     {"function_response", "functionResponse"},
	fFunctions:            {"functions"},
	fGenerationConfig:     {"generation_config", "generationConfig"},
	fGoogle:               {"google"},
	fImage:                {"image"},
	fImages:               {"images"},
	fImageConfig:          {"image_config", "imageConfig"},
	fImageURL:             {"image_url"},
	fInclude:              {"include"},
	fIncludeUsage:         {"include_usage"},
	fInferenceConfig:      {"inferenceConfig"},
	fInferenceGeo:         {"inference_geo"},
	fInlineData:           {"inline_data", "inlineData"},
	fInput:                {"input"},
	fInputAudio:           {"input_audio"},
	fInputs:               {"inputs"},
	fInputText:            {"inputText"},
	fInstances:            {"instances"},
	fInstructions:         {"instructions"},
	fLatency:              {"latency"},
	fLogitBias:            {"logit_bias"},
	fLogprobs:             {"logprobs"},
	fMaxCompletionTokens:  {"max_completion_tokens"},
	fMaxGenLen:            {"max_gen_len"},
	fMaxNewTokens:         {"max_new_tokens"},
	fMaxOutputTokens:      {"max_output_tokens", "maxOutputTokens"},
	fMaxTokenCount:        {"maxTokenCount"},
	fMaxTokens:            {"max_tokens"},
	fMaxTokensCamel:       {"maxTokens"},
	fMaxToolCalls:         {"max_tool_calls"},
	fMaxUses:              {"max_uses"},
	fMCPServers:           {"mcp_servers"},
	fMediaType:            {"media_type"},
	fMemoryLimit:          {"memory_limit"},
	fMessage:              {"message"},
	fMessages:             {"messages"},
	fMIMEType:             {"mime_type", "mimeType"},
	fModalities:           {"modalities"},
	fMode:                 {"mode"},
	fModel:                {"model"},
	fModels:               {"models"},
	fN:                    {"n"},
	fNumGenerations:       {"num_generations"},
	fNumPredict:           {"num_predict"},
	fNumResults:           {"numResults"},
	fOptions:              {"options"},
	fOutput:               {"output"},
	fOutputConfig:         {"output_config", "outputConfig"},
	fOutputFormat:         {"output_format"},
	fParameters:           {"parameters"},
	fPartialImages:        {"partial_images"},
	fParts:                {"parts"},
	fPerformanceConfig:    {"performanceConfig"},
	fPlugins:              {"plugins"},
	fPreamble:             {"preamble"},
	fPrediction:           {"prediction"},
	fPresencePenalty:      {"presence_penalty", "presencePenalty"},
	fPreset:               {"preset"},
	fPriorInteractionID:   {"previous_interaction_id", "previousInteractionId"},
	fPreviousResponseID:   {"previous_response_id"},
	fPrompt:               {"prompt"},
	fPromptCacheKey:       {"prompt_cache_key"},
	fPromptCacheOptions:   {"prompt_cache_options"},
	fPromptCacheRetention: {"prompt_cache_retention"},
	fProvider:             {"provider"},
	fProviderOptions:      {"providerOptions"},
	fQuality:              {"quality"},
	fQuery:                {"query"},
	fReasoning:            {"reasoning"},
	fReasoningContent:     {"reasoningContent"},
	fReasoningDetails:     {"reasoning_details"},
	fReasoningEffort:      {"reasoning_effort"},
	fRequests:             {"requests"},
	fResponseFormat:       {"response_format", "responseFormat"},
	fResponseJSONSchema:   {"response_json_schema", "responseJsonSchema"},
	fResponseLogprobs:     {"response_logprobs", "responseLogprobs"},
	fResponseMIMEType:     {"response_mime_type", "responseMimeType"},
	fResponseModalities:   {"response_modalities", "responseModalities"},
	fResponseSchema:       {"response_schema", "responseSchema"},
	fResult:               {"result"},
	fRole:                 {"role"},
	fRoute:                {"route"},
	fSampleCount:          {"sample_count", "sampleCount"},
	fSearchParameters:     {"search_parameters"},
	fServiceTier:          {"service_tier", "serviceTier"},
	fSignature:            {"signature"},
	fSize:                 {"size"},
	fSource:               {"source"},
	fSpeechConfig:         {"speech_config", "speechConfig"},
	fSpeed:                {"speed"},
	fStop:                 {"stop"},
	fStopSequences:        {"stop_sequences", "stopSequences"},
	fStore:                {"store"},
	fStream:               {"stream"},
	fStreamOptions:        {"stream_options"},
	fSummary:              {"summary"},
	fSystem:               {"system"},
	fSystemInstruction:    {"system_instruction", "systemInstruction"},
	fTemperature:          {"temperature"},
	fText:                 {"text"},
	fTextGenerationConfig: {"textGenerationConfig"},
	fTexts:                {"texts"},
	fThinking:             {"thinking"},
	fThinkingBlocks:       {"thinking_blocks"},
	fThinkingBudget:       {"thinking_budget", "thinkingBudget"},
	fThinkingConfig:       {"thinking_config", "thinkingConfig"},
	fThinkingLevel:        {"thinking_level", "thinkingLevel"},
	fThoughtSignature:     {"thought_signature", "thoughtSignature"},
	fTool:                 {"tool"},
	fToolCalls:            {"tool_calls"},
	fToolChoice:           {"tool_choice", "toolChoice"},
	fToolConfig:           {"tool_config", "toolConfig"},
	fToolResult:           {"toolResult"},
	fTools:                {"tools"},
	fToolSpec:             {"toolSpec"},
	fTopK:                 {"top_k", "topK"},
	fTopLogprobs:          {"top_logprobs"},
	fTopP:                 {"top_p", "topP"},
	fTTL:                  {"ttl"},
	fType:                 {"type"},
	fURI:                  {"uri"},
	fURL:                  {"url"},
	fVerbosity:            {"verbosity"},
	fVideo:                {"video"},
	fVideoURL:             {"video_url"},
	fWebSearchOptions:     {"web_search_options"},
}

// fieldSet is a set of fields: those that are acted on at one level, or those seen in one object.
type fieldSet [3]uint64

func setOf(fs ...field) (s fieldSet) {
	for _, f := range fs {
		s.add(f)
	}
	return s
}

func (s *fieldSet) add(f field)      { s[f/64] |= 1 << (f % 64) }
func (s *fieldSet) has(f field) bool { return s[f/64]&(1<<(f%64)) != 0 }

// exact returns the field of the set whose name the unescaped key is.
func (s *fieldSet) exact(key []byte, camel bool) field {
	f := fieldByName[string(key)]
	if f >= fields { // a camel case name
		if f -= fields; !camel {
			return fNone
		}
	}
	if !s.has(f) {
		return fNone
	}
	return f
}

// fieldByName holds snake case names as their fields, and camel case names as their fields plus the number of fields.
var fieldByName = func() map[string]field {
	m := make(map[string]field, 2*fields)
	for f, names := range fieldNames {
		m[names[0]] = field(f)
		if names[1] != "" {
			m[names[1]] = field(f) + fields
		}
	}
	delete(m, "")
	return m
}()

// lookalike returns the name of the set that key means to a server which resolves escapes and ignores case, "" if
// there is none; with protos also to one that takes camel case beside snake case. Keys in plain lower case cannot be one.
func (s *fieldSet) lookalike(scan *jsonscan.Scanner, key jsonscan.Token, camel, protos bool) string {
	if !key.Escaped && plainLower(scan.Text(key)) {
		return ""
	}
	meaning := scan.String(key)
	for f := range fields {
		if !s.has(f) {
			continue
		}
		names := fieldNames[f]
		if strings.EqualFold(names[0], meaning) || protos && isCamel(meaning, names[0]) {
			return names[0]
		}
		if camel && names[1] != "" && strings.EqualFold(names[1], meaning) {
			return names[1]
		}
	}
	return ""
}

// isCamel reports whether s is a name in snake case without its underscores, in any case.
func isCamel(s, name string) bool {
	for word := range strings.SplitSeq(name, "_") {
		if len(s) < len(word) || !strings.EqualFold(s[:len(word)], word) {
			return false
		}
		s = s[len(word):]
	}
	return s == ""
}

func plainLower(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}
