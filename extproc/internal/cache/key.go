package cache

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// Key identifies an answer. Two calls with the same key may answer each other.
type Key [sha256.Size]byte

// KeyParts is everything that shapes an answer. The credential is not among it: who may share answers is the
// partition's business.
type KeyParts struct {
	Dimension policies.DimensionName // that partitions the cache, "" for "per: all"
	Partition string                 // its verified value, "" for "per: all"
	Route     policies.RouteName     // provider or pool that served the answer
	API       provider.API
	Path      string            // as sent, query left out
	Query     string            // as sent
	Version   string            // anthropic-version
	Model     pricing.ModelName // as served
	Stream    bool
	MaxOutput int64             // cap that was written into the request, 0 for none
	Body      [sha256.Size]byte // digest of the canonical request

	AnthropicBeta string // anthropic-beta, values joined with commas
	OpenAIBeta    string // openai-beta, the same
	IncludeUsage  bool   // the stream ends with its usage, which the canonical request leaves out
}

// keyVersion begins every key, so that a change of what a key covers makes all older keys unreachable.
const keyVersion = "farebox cache key 1"

// NewKey returns the key of a call. Every part is preceded by its length, so that no two different sets of
// parts run together.
func NewKey(p KeyParts) Key {
	form := "whole"
	switch {
	case p.Stream && p.IncludeUsage:
		form = "stream with usage"
	case p.Stream:
		form = "stream"
	case p.IncludeUsage:
		form = "whole with usage"
	}
	// Most calls fit; longer ones move to the heap.
	b := make([]byte, 0, 512)
	for _, s := range [...]string{
		keyVersion, string(p.Dimension), p.Partition, string(p.Route), string(p.API), p.Path, p.Query,
		p.AnthropicBeta, p.OpenAIBeta, p.Version, string(p.Model), form,
	} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendVarint(b, p.MaxOutput)
	b = append(b, p.Body[:]...)
	return sha256.Sum256(b)
}
