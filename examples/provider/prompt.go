package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"time"
)

const (
	imageTokens = 1000    // what any image or document that is not text counts
	markToken   = 1 << 20 // ids from here on are not text: roles, block starts, images

	// The overhead of chat formats: three tokens open each message and three more open the answer, as OpenAI's
	// token counting guide has it for its chat models.
	messageTokens = 3
	answerTokens  = 3
)

// Marks that stand for roles and kinds of content.
const (
	roleSystem = 16 * (iota + 1)
	roleUser
	roleAssistant
	roleTool
	markTools
	markText
	markCall
	markResult
	markThought
)

// roleMark maps the role names of all APIs; an unknown role reads as the user's.
func roleMark(role string) uint32 {
	switch role {
	case "system", "developer":
		return roleSystem
	case "assistant", "model":
		return roleAssistant
	case "tool", "function":
		return roleTool
	}
	return roleUser
}

// digest names an exact prefix of a prompt.
type digest [sha256.Size]byte

// blockKind says where in the rendered order a block stands.
type blockKind int

const (
	blockTools blockKind = iota
	blockSystem
	blockMessage
)

// A block is one piece of the prompt that a cache breakpoint may follow.
type block struct {
	kind       blockKind
	end        int           // tokens of the prompt up to and including this block
	marker     time.Duration // lifetime that the caller's breakpoint here asks for, 0 if there is none
	endMessage bool          // the last block of its message
	salt       string        // settings that change the cached prefix without being tokens
}

// A prompt is a request rendered in the order tools, system, messages.
type prompt struct {
	tokens []uint32
	blocks []block
	excess int // estimated tokens that were not rendered, because the window was full already
}

// length is the prompt's tokens, estimated once it is past the model's window.
func (p *prompt) length() int { return len(p.tokens) + p.excess }

// at returns the digests of the prefixes that end after each of the given token counts, which must ascend.
// Salts of the blocks that start before an end count as part of the prefix.
func (p *prompt) at(ends []int) []digest {
	out := make([]digest, 0, len(ends))
	h := sha256.New()
	done, next := 0, 0
	var buf []byte
	for _, end := range ends {
		for done < end {
			stop := end
			for next < len(p.blocks) && p.start(next) <= done {
				h.Write([]byte(p.blocks[next].salt))
				next++
			}
			if next < len(p.blocks) {
				stop = min(stop, p.start(next))
			}
			buf = buf[:0]
			for _, id := range p.tokens[done:stop] {
				buf = binary.LittleEndian.AppendUint32(buf, id)
			}
			h.Write(buf)
			done = stop
		}
		out = append(out, digest(h.Sum(nil)))
	}
	return out
}

func (p *prompt) start(i int) int {
	if i == 0 {
		return 0
	}
	return p.blocks[i-1].end
}

// blockDigests returns the digest of the prefix that ends with each block.
func (p *prompt) blockDigests() []digest {
	ends := make([]int, len(p.blocks))
	for i, b := range p.blocks {
		ends[i] = b.end
	}
	return p.at(ends)
}

// whole is the digest of the tokens alone, whatever the cache settings.
func (p *prompt) whole() digest {
	bare := prompt{tokens: p.tokens}
	return bare.at([]int{len(p.tokens)})[0]
}

// A promptWriter renders a prompt piece by piece.
type promptWriter struct {
	count *counter
	limit int // tokens after which text is only estimated
	prompt
}

func (s *server) promptWriter(m *model) promptWriter {
	return promptWriter{count: s.count, limit: max(m.Window, m.WideWindow)}
}

// mark adds one token that is not text: the start of a role or of a kind of block.
func (w *promptWriter) mark(id uint32) { w.tokens = append(w.tokens, markToken+id) }

func (w *promptWriter) text(s string) {
	const step = 1 << 20 // bytes between looks at the limit
	for len(s) > 0 {
		if len(w.tokens) > w.limit {
			w.excess += len(s)/4 + 1
			return
		}
		head := s[:cutPoint(s, step)]
		s = s[len(head):]
		w.tokens = append(w.tokens, w.count.encode(head)...)
	}
}

// image adds imageTokens tokens that depend on the content alone.
func (w *promptWriter) image(content []byte) {
	sum := sha256.Sum256(content)
	seed := binary.LittleEndian.Uint32(sum[:])
	for i := range uint32(imageTokens) {
		w.tokens = append(w.tokens, markToken+1024+(seed+i)%(1<<30))
	}
}

// json adds a value's bytes as the vendor renders them: without white space, keys in the caller's order.
func (w *promptWriter) json(raw json.RawMessage) {
	var buf bytes.Buffer
	if json.Compact(&buf, raw) != nil {
		buf.Write(raw)
	}
	w.text(buf.String())
}

// role opens a message.
func (w *promptWriter) role(mark uint32) {
	for id := range uint32(messageTokens) {
		w.mark(mark + id)
	}
}

// end closes a block that began after the last one.
func (w *promptWriter) end(kind blockKind, marker time.Duration) {
	w.blocks = append(w.blocks, block{kind: kind, end: len(w.tokens), marker: marker})
}

// endMessage closes a message with its last block.
func (w *promptWriter) endMessage() {
	if n := len(w.blocks); n == 0 || w.blocks[n-1].end < len(w.tokens) {
		w.end(blockMessage, 0)
	}
	w.blocks[len(w.blocks)-1].endMessage = true
}

// finish adds the opening of the answer, which is never cached, and returns the prompt.
func (w *promptWriter) finish() *prompt {
	for id := range uint32(answerTokens) {
		w.mark(roleAssistant + id)
	}
	return &w.prompt
}

// saltMessages puts settings into the prefix of the first message block: a change loses the messages' cache only.
func (p *prompt) saltMessages(settings string) {
	for i := range p.blocks {
		if p.blocks[i].kind == blockMessage {
			p.blocks[i].salt = settings
			return
		}
	}
}

// without returns the members of a JSON object, in order and compact, leaving one key out.
func without(raw json.RawMessage, key string) json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return raw
	}
	out := []byte{'{'}
	for dec.More() {
		name, err := dec.Token()
		var value json.RawMessage
		if err != nil || dec.Decode(&value) != nil {
			return raw
		}
		if name == key {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(out, mustJSON(name)...), ':')
		out = append(out, value...)
	}
	return append(out, '}')
}
