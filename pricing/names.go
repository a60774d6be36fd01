package pricing

import (
	"slices"
	"strings"
)

// resellers lists the providers under whose names a provider's models may be listed, its own first; "" fills up.
// Azure sells the models of OpenAI and Anthropic at their list prices, Vertex AI those of Anthropic.
func resellers(p ProviderName) [3]ProviderName {
	switch p {
	case "azure_openai":
		return [...]ProviderName{p, "openai", "anthropic"}
	case "google":
		return [3]ProviderName{p, "anthropic"}
	}
	return [3]ProviderName{p}
}

// spellings is room for the names that one model may be listed under, so that looking them up allocates nothing.
type spellings struct {
	names [maxSpellings]ModelName
	n     int
}

const maxSpellings = 8

func (s *spellings) add(name ModelName) {
	for _, known := range s.names[:s.n] {
		if known == name {
			return
		}
	}
	if name != "" && s.n < maxSpellings {
		s.names[s.n] = name
		s.n++
	}
}

// of returns the names to look a model up under, the most exact first:
//
//   - the name itself;
//   - without the path that leads to a model at Google and AWS: "models/", "publishers/google/models/", an ARN;
//   - without what a vendor adds that leaves the price as it is: "@default" at Vertex AI, "-v1:0" at Bedrock, ":floor"
//     at OpenRouter, which asks for the cheapest host, and of a fine-tuned model of OpenAI the owner and the id,
//     "ft:gpt-4o-mini-2024-07-18";
//   - at OpenRouter without what has other hosts serve the model, ":nitro": see Listing.ChoosesHost;
//   - any of them without a trailing release date: "-2025-04-14", "-20250929", "@20250929";
//   - at Bedrock without the region of an inference profile, but for Claude, whose profiles cost more than the model.
func (s *spellings) of(p ProviderName, model ModelName) []ModelName {
	s.add(model)
	bare := model
	switch p {
	case "google", "anthropic": // Vertex AI sells both
		bare = cutVersion(afterLast(bare, "models/"), "@default", "@latest")
	case "aws_bedrock":
		if strings.HasPrefix(string(bare), "arn:") {
			bare = afterLast(bare, "/")
		}
		s.add(bare)
		bare = cutRevision(bare)
	case "openrouter":
		bare = cutVersion(bare, ":floor", hostNitro, hostExacto)
	case "openai", "azure_openai":
		bare = cutOwner(bare)
	}
	s.add(bare)
	if base, dated := bare.CutDate(); dated {
		s.add(base)
	}
	if p == "aws_bedrock" {
		for _, name := range s.names[:s.n] {
			s.add(cutRegion(name))
		}
	}
	return s.names[:s.n]
}

// What follows a model's name at OpenRouter to have its fastest or its best hosts tried first, whatever they charge.
// Source: https://openrouter.ai/docs/guides/routing/model-variants/overview, "Routing variants", read in November 2026.
const (
	hostNitro  = ":nitro"
	hostExacto = ":exacto"
)

// ChoosesHost reports whether the listing was found under a name that also says which hosts are to serve the model: the
// price is that of the usual hosts, and no bound. A listing of the very name is. No listing, nil, chooses nothing; nor do
// the suffixes of Hugging Face (":together", ":fastest"), whose names are listed as they are or not at all.
func (l *Listing) ChoosesHost(model ModelName) bool {
	return l != nil && l.Provider == "openrouter" && cutVersion(model, hostNitro, hostExacto) != model &&
		l.Model != model && !slices.Contains(l.Aliases, model)
}

// profiles are the regions of Bedrock's inference profiles.
var profiles = [...]string{"us.", "eu.", "jp.", "au.", "apac.", "ca.", "global.", "us-gov."}

// cutRegion removes the region of a profile. Of a Claude it leaves nothing: its profiles cost more than the model.
func cutRegion(model ModelName) ModelName {
	for _, region := range profiles {
		if rest, ok := strings.CutPrefix(string(model), region); ok && !strings.HasPrefix(rest, "anthropic.") {
			return ModelName(rest)
		}
	}
	return ""
}

// afterLast returns what follows the last sep in the name, or the name.
func afterLast(model ModelName, sep string) ModelName {
	if i := strings.LastIndex(string(model), sep); i >= 0 {
		return model[i+len(sep):]
	}
	return model
}

// cutVersion removes the first of the endings that the name has.
func cutVersion(model ModelName, endings ...string) ModelName {
	for _, ending := range endings {
		if rest, ok := strings.CutSuffix(string(model), ending); ok && rest != "" {
			return ModelName(rest)
		}
	}
	return model
}

// cutRevision removes Bedrock's revision of a model, "-v1" or "-v1:0", behind a name that says itself which model it
// is: "anthropic.claude-v2" does not, nor does "mistral.mistral-7b-instruct-v0:2".
func cutRevision(model ModelName) ModelName {
	i := strings.LastIndex(string(model), "-v")
	if i <= 0 || len(model) < i+3 || model[i+2] == '0' || !strings.ContainsAny(string(model[:i]), "0123456789") ||
		strings.Trim(string(model[i+2:]), "0123456789:") != "" {
		return model
	}
	return model[:i]
}

// cutOwner removes the owner and id of a fine-tuned model: of "ft:gpt-4o-mini-2024-07-18:acme::abc123" it leaves
// "ft:gpt-4o-mini-2024-07-18". Those cost more than the model that they are made of.
func cutOwner(model ModelName) ModelName {
	rest, tuned := strings.CutPrefix(string(model), "ft:")
	if !tuned {
		return model
	}
	base, _, _ := strings.Cut(rest, ":")
	return model[:len("ft:")+len(base)]
}

// CutDate removes a trailing release date ("-2025-04-14", "-20250929", "@20250929") and reports whether there was one.
func (m ModelName) CutDate() (ModelName, bool) {
	for _, shape := range [...]string{"-0000-00-00", "-00000000", "@00000000"} {
		cut := len(m) - len(shape)
		if cut > 0 && matches(string(m[cut:]), shape) {
			return m[:cut], true
		}
	}
	return "", false
}

// matches compares s with a shape of the same length, in which 0 stands for any digit.
func matches(s, shape string) bool {
	for i := range len(shape) {
		digit := s[i] >= '0' && s[i] <= '9'
		if (shape[i] == '0') != digit || (!digit && s[i] != shape[i]) {
			return false
		}
	}
	return true
}
