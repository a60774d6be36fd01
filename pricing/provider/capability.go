package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// CapField is how an OpenAI chat endpoint wants the cap on the output spelled.
type CapField string

// The spellings. The empty CapField is either of them.
const (
	CapLegacy CapField = "max_tokens"
	CapModern CapField = "max_completion_tokens"
)

// Capability is what a model takes, as far as a rewrite could turn a valid call into one that is refused, or drop
// what it asks for. Sources: the providers' model pages and deprecation notes, read in November 2026.
type Capability struct {
	Rejects    Facts    // calls with any of these cannot be moved to the model; LegacyCap can be translated
	MinOutput  int64    // the least max_output_tokens of a Responses call
	Cap        CapField // of chat calls
	CacheMarks bool     // takes Anthropic's cache_control
	CacheKey   bool     // takes OpenAI's prompt_cache_key
}

// doubtful are the facts that a model of which nothing is known may reject.
const doubtful = ServerTools | Images | Audio | Sampling | Penalties | Effort | RareEffort | Verbosity |
	ThinkingBudget | Prefill | ForcedTool | StructuredOutput | StopSequences | ServiceTier | ModernRoles | CustomTools

// CapabilityOf returns what a vendor's model takes. The vendor "" is a pool of one's own that speaks OpenAI's format
// (vLLM, SGLang, Ollama, llama.cpp). A model that is not known is taken to reject everything doubtful.
func CapabilityOf(vendor pricing.ProviderName, model pricing.ModelName) Capability {
	name := string(model)
	name = name[strings.LastIndexByte(name, '/')+1:]
	switch vendor {
	case OpenAI, azureOpenAI:
		return openAICapability(strings.TrimPrefix(name, "ft:"))
	case Anthropic:
		return Capability{Rejects: claudeRejects(name), CacheMarks: true}
	case Google:
		if strings.HasPrefix(name, "claude-") { // on Vertex
			return Capability{Rejects: claudeRejects(name), CacheMarks: true}
		}
		return Capability{Rejects: geminiRejects(name)}
	case "":
		return Capability{Rejects: doubtful &^ (Sampling | Penalties | Prefill | ForcedTool | StructuredOutput |
			StopSequences), Cap: CapLegacy}
	}
	return Capability{Rejects: doubtful &^ (Sampling | StopSequences), Cap: CapLegacy}
}

const azureOpenAI pricing.ProviderName = "azure_openai"

// openAIFamilies are OpenAI's models by the start of their names; the first that fits holds.
var openAIFamilies = []struct {
	name    string
	rejects Facts
}{
	{"gpt-6", reasoningRejects},
	{"gpt-5", reasoningRejects},
	{"o4-mini", reasoningRejects | Verbosity | ServerTools | CustomTools},
	{"o3-mini", reasoningRejects | Verbosity | ServerTools | CustomTools | Images},
	{"o3", reasoningRejects | Verbosity | ServerTools | CustomTools},
	{"o1", reasoningRejects | Verbosity | ServerTools | CustomTools},
	{"gpt-4.1", plainRejects},
	{"gpt-4o", plainRejects},
	{"gpt-4-turbo", plainRejects | StructuredOutput},
	{"gpt-4", plainRejects | StructuredOutput | Images},
	{"gpt-3.5-turbo", plainRejects | StructuredOutput | Images},
}

const (
	reasoningRejects = Sampling | Penalties | LegacyCap | StopSequences | Audio | RareEffort | ThinkingBudget | ServiceTier
	plainRejects     = Effort | RareEffort | Verbosity | ThinkingBudget | CustomTools | ServerTools | Audio | ServiceTier
)

// openAIVariants take less than their family, each something else.
var openAIVariants = []string{"-pro", "-chat", "-audio", "-search", "-realtime", "deep-research", "-instruct",
	"-preview", "o1-mini"}

func openAICapability(name string) Capability {
	c := Capability{Rejects: doubtful | LegacyCap, MinOutput: 16, Cap: CapModern, CacheKey: true}
	for _, v := range openAIVariants {
		if strings.Contains(name, v) {
			return c
		}
	}
	for _, f := range openAIFamilies {
		if !inFamily(name, f.name) {
			continue
		}
		c.Rejects = f.rejects
		if strings.Contains(name, "-codex") {
			c.Rejects |= Verbosity
		}
		if !c.Rejects.Has(LegacyCap) {
			c.Cap = ""
		}
		return c
	}
	return c
}

// inFamily reports whether a name is the family's or goes on after it with a version or variant.
func inFamily(name, family string) bool {
	rest, ok := strings.CutPrefix(name, family)
	return ok && (rest == "" || rest[0] == '-' || rest[0] == '.' || rest[0] == ':')
}

// claudeRejects goes by the line and the version in names like claude-opus-4-7 and claude-3-5-haiku.
func claudeRejects(name string) Facts {
	const always = Audio | Penalties | Verbosity | RareEffort | ServiceTier | ServerTools | CustomTools
	line, version := claudeVersion(name)
	switch {
	case version == 0:
		return doubtful
	case line == "fable", line == "mythos", version >= 50, line == "opus" && version >= 47:
		rejects := always | Sampling | ThinkingBudget | Prefill | ForcedTool
		if version < 48 {
			rejects |= ModernRoles
		}
		return rejects
	case version >= 46:
		return always | Prefill | ModernRoles
	case version >= 45:
		return always | Effort | ModernRoles
	case version >= 37:
		return always | Effort | ModernRoles | StructuredOutput
	}
	return always | Effort | ModernRoles | StructuredOutput | ThinkingBudget
}

var claudeLines = []string{"opus", "sonnet", "haiku", "fable", "mythos"}

// claudeVersion returns the line, and the version as ten times the major number plus the minor; 0 if unknown.
func claudeVersion(name string) (line string, version int) {
	rest, ok := strings.CutPrefix(name, "claude-")
	for ok && rest != "" {
		var word string
		word, rest, _ = strings.Cut(rest, "-")
		word, _, _ = strings.Cut(word, "@")
		if len(word) == 1 && '0' <= word[0] && word[0] <= '9' && version < 10 {
			version = version*10 + int(word[0]-'0')
		}
		for _, l := range claudeLines {
			if word == l {
				line = l
			}
		}
	}
	if line == "" {
		return "", 0
	}
	if version < 10 {
		version *= 10
	}
	return line, version
}

// geminiRejects: every generation takes thinking budgets of another range, and penalties depend on the model.
func geminiRejects(name string) Facts {
	const always = Audio | Penalties | ThinkingBudget | RareEffort | Verbosity | ServiceTier | ServerTools |
		CustomTools | ModernRoles
	switch {
	case strings.Contains(name, "-tts") || strings.Contains(name, "-image") || strings.Contains(name, "-live"):
		return doubtful
	case inFamily(name, "gemini-3"):
		return always
	case inFamily(name, "gemini-2"):
		return always | Effort
	}
	return doubtful
}
