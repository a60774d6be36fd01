package main

import (
	"crypto/sha256"
	"sync"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer"
)

const (
	encodeStep   = 4096    // bytes encoded at a time; bounds the quadratic cost of text without spaces
	memoMinimum  = 256     // bytes below which a text is encoded anew
	memoCapacity = 4 << 20 // tokens kept before the memory is cleared
)

// A counter turns text into o200k tokens, for every vendor alike, and remembers long texts, because prompts repeat.
// It is safe for concurrent use.
type counter struct {
	codec tokenizer.Codec
	mu    sync.Mutex
	memo  map[[32]byte][]uint32
	held  int
}

func newCounter() (*counter, error) {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		return nil, err
	}
	return &counter{codec: codec, memo: map[[32]byte][]uint32{}}, nil
}

// encode returns the tokens of text, not to be changed.
func (c *counter) encode(text string) []uint32 {
	if len(text) < memoMinimum {
		return c.encodeNew(text)
	}
	key := sha256.Sum256([]byte(text))
	c.mu.Lock()
	known, ok := c.memo[key]
	c.mu.Unlock()
	if ok {
		return known
	}
	ids := c.encodeNew(text)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held += len(ids); c.held > memoCapacity {
		clear(c.memo)
		c.held = len(ids)
	}
	c.memo[key] = ids
	return ids
}

func (c *counter) encodeNew(text string) []uint32 {
	ids := make([]uint32, 0, len(text)/4+1)
	for len(text) > 0 {
		head := text[:cutPoint(text, encodeStep)]
		text = text[len(head):]
		// The codec's only errors are those of its own regular expression, which has no time limit set.
		found, _, _ := c.codec.Encode(head)
		for _, id := range found {
			ids = append(ids, uint32(id))
		}
	}
	return ids
}

// cutPoint is where text is split after about step bytes. In front of a single space the tokens are the same as in
// one go.
func cutPoint(text string, step int) int {
	if len(text) <= step {
		return len(text)
	}
	for at := step; at < min(len(text)-1, step+step/2); at++ {
		if text[at] == ' ' && !isSpace(text[at-1]) && !isSpace(text[at+1]) {
			return at
		}
	}
	at := step
	for at > step-utf8.UTFMax && !utf8.RuneStart(text[at]) {
		at--
	}
	return at
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }
