package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// tallied is a count that a usage object may state, by what it means there: a prompt includes the tokens of the cache in
// some formats and excludes them in others.
type tallied uint8

const (
	ofPrompt tallied = iota
	ofToolPrompt
	ofAnswer
	ofBilledPrompt
	ofBilledAnswer
	ofTotal
	ofReasoning
	ofCitations
	ofCacheRead
	ofCacheHit
	ofCacheMiss
	ofCacheWrite
	ofShortWrite
	ofLongWrite
	ofInputAudio
	ofInputImage
	ofCachedAudio
	ofCachedImage
	ofToolAudio
	ofToolImage
	ofOutputAudio
	ofOutputImage
	ofOutputText
	ofWebSearches
	ofMoreSearches
	ofFetches
	ofFileSearches
	ofMoreFileSearches
	ofCodeRuns
	ofSearchUnits
	ofSeconds
	ofLongestPrompt
	lastTallied
)

// tally is what a usage object says, as it says it. The zero value says nothing. Tallies can be compared.
type tally struct {
	n        [lastTallied]count
	cost     charge // in dollars, or in xAI's ticks
	byok     bool   // the caller's own key at the upstream was charged beside cost
	theirs   charge // what that key was charged
	service  pricing.Service
	tiered   bool          // service was stated
	fast     bool          // Anthropic's fast mode
	region   string        // "" unless it changes the price
	extra    pricing.Usage // what the counts leave out
	advisers advisers
}

// rule says what a member of a usage object means.
type rule struct {
	to   tallied // where a count belongs
	most bool    // of several spellings of one count the largest holds
	in   table   // of an object: what its members mean
	take special // of anything else: how the value is read
}

// special is how a value is read that is no count. (A function would make every Scanner escape to the heap.)
type special uint8

const (
	nothingSpecial special = iota
	takeDollars
	takeTicks
	takeTheirs
	takeBYOK
	takeService
	takeSpeed
	takeGeography
	takeIterations
	takeCacheDetails
	takePromptModes
	takeCacheModes
	takeAnswerModes
	takeToolModes
	takeGrounding
)

// special reads the next value.
func (t *tally) special(s *jsonscan.Scanner, how special) {
	switch how {
	case takeDollars:
		t.cost.read(s, dollarPlaces)
	case takeTicks:
		t.cost.read(s, tickPlaces)
	case takeTheirs:
		t.theirs.read(s, dollarPlaces)
	case takeBYOK:
		t.byok = s.Next().Kind == jsonscan.True
	case takeService:
		switch v := s.Next(); {
		case v.Kind == jsonscan.String, v.Kind == jsonscan.Number && string(s.Text(v)) > "1": // of an enum of Google's
			t.service, t.tiered = serviceOf(s.Text(v)), true
		}
	case takeSpeed:
		if v := s.Next(); v.Kind == jsonscan.String {
			t.fast = string(s.Text(v)) == "fast"
		}
	case takeGeography:
		t.geography(s)
	case takeIterations:
		t.iterations(s)
	case takeCacheDetails:
		t.cacheDetails(s)
	case takePromptModes:
		t.modes(s, ofInputAudio, ofInputImage)
	case takeCacheModes:
		t.modes(s, ofCachedAudio, ofCachedImage)
	case takeAnswerModes:
		t.modes(s, ofOutputAudio, ofOutputImage)
	case takeToolModes:
		t.modes(s, ofToolAudio, ofToolImage)
	case takeGrounding:
		t.grounding(s)
	}
}

// table says what the members of a usage object mean; others are passed over.
type table map[string]rule

// read reads the object that began with o over what was read before.
func (t *tally) read(s *jsonscan.Scanner, o jsonscan.Token, names table) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		r, known := names[string(s.Text(key))]
		switch {
		case !known:
		case r.take != nothingSpecial:
			t.special(s, r.take)
		case r.in != nil:
			t.read(s, s.Next(), r.in)
		case r.most:
			earlier := t.n[r.to]
			t.n[r.to].read(s)
			if earlier.n > t.n[r.to].n {
				t.n[r.to] = earlier
			}
		default:
			t.n[r.to].read(s)
		}
	}
}

// readTally reads the next value as a usage object. One that is cut short counts as absent, as its last number may be
// too.
func readTally(s *jsonscan.Scanner, names table) (t tally) {
	t.read(s, s.Next(), names)
	if s.Err() != nil {
		return tally{}
	}
	return t
}

// of returns a count, 0 if it was not stated.
func (t *tally) of(f tallied) int64 { return t.n[f].n }

// states reports whether any of the counts was stated.
func (t *tally) states(which ...tallied) bool {
	for _, f := range which {
		if t.n[f].set {
			return true
		}
	}
	return false
}

// charged are the counts that are charged for in whichever format states them. Others are parts of these in some.
var charged = [...]tallied{ofPrompt, ofToolPrompt, ofAnswer, ofBilledPrompt, ofBilledAnswer, ofCitations, ofCacheHit, ofCacheMiss,
	ofWebSearches, ofMoreSearches, ofFileSearches, ofMoreFileSearches, ofCodeRuns, ofSearchUnits, ofSeconds, ofLongestPrompt}

// negative reports whether a count that is charged for was stated below zero, so that the whole says nothing. others are
// charged for beside those in the format at hand. A negative part of a count is none: all of it has the full price.
func (t *tally) negative(others ...tallied) bool {
	for _, f := range charged {
		if t.n[f].negative {
			return true
		}
	}
	for _, f := range others {
		if t.n[f].negative {
			return true
		}
	}
	return t.n[ofTotal].negative && !t.states(ofPrompt, ofAnswer)
}

// negativeApart is negative for a prompt that excludes the cache.
func (t *tally) negativeApart() bool {
	return t.negative(ofCacheRead, ofCacheWrite, ofShortWrite, ofLongWrite)
}

// fillFrom takes from an earlier object the counts that this one leaves out.
func (t *tally) fillFrom(earlier *tally) {
	for f := range t.n {
		if !t.n[f].set {
			t.n[f] = earlier.n[f]
		}
	}
}

// prompt enters a prompt that includes everything that was read from the cache or written to it, whatever it
// consists of. Parts that add up to more than the whole, as some hosts state them, leave nothing at the full price.
func (t *tally) prompt(u *pricing.Usage, prompt int64) {
	read, write := t.of(ofCacheRead), t.of(ofCacheWrite)
	full := max(0, prompt-read-write)
	audio, image := t.of(ofInputAudio), t.of(ofInputImage)
	u.CacheReadAudio = min(max(t.of(ofCachedAudio), audio-full), audio, read)
	u.CacheRead = read - u.CacheReadAudio
	u.InputAudio = min(audio-u.CacheReadAudio, full)
	u.InputImage = min(max(0, image-t.of(ofCachedImage)), full-u.InputAudio)
	u.Input = full - u.InputAudio - u.InputImage
	u.CacheWriteShort = write
}

// answer enters an answer that includes everything that was generated.
func (t *tally) answer(u *pricing.Usage, answer, reasoning int64) {
	u.OutputAudio = min(t.of(ofOutputAudio), answer)
	u.OutputImage = min(t.of(ofOutputImage), answer-u.OutputAudio)
	u.Output = answer - u.OutputAudio - u.OutputImage
	u.Reasoning = min(reasoning, u.Output)
}

// pieces enters what is billed by the piece.
func (t *tally) pieces(u *pricing.Usage) {
	u.WebSearches = t.of(ofWebSearches) + t.of(ofMoreSearches)
	u.FileSearches = t.of(ofFileSearches) + t.of(ofMoreFileSearches)
	u.CodeRuns = t.of(ofCodeRuns)
	u.SearchUnits = t.of(ofSearchUnits)
	u.Seconds = t.of(ofSeconds)
}
