package lease

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

// Answer is what a replica saw of an answer that a provider made in the background, for whichever replica waits for it.
type Answer struct {
	Key  string // that the answer is known by; the same in all replicas
	Text []byte // of the caller's making
}

// Answers is where replicas leave for each other what they saw of answers that were fetched through them. Its methods
// are safe for concurrent use.
type Answers interface {
	// Put keeps answers for a while; what is there under a key stays. An error says that some may be missing.
	Put(ctx context.Context, answers []Answer, keep time.Duration) error
	// Get returns the text that is kept under each of the keys, nil where there is none.
	Get(ctx context.Context, keys []string) ([][]byte, error)
}

// Put implements Answers.
func (r *Redis) Put(ctx context.Context, answers []Answer, keep time.Duration) error {
	pipe := r.client.Pipeline()
	for i := range answers {
		pipe.SetNX(ctx, r.answer(answers[i].Key), answers[i].Text, keep)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("put answers: %w", err)
	}
	return nil
}

// Get implements Answers.
func (r *Redis) Get(ctx context.Context, keys []string) ([][]byte, error) {
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = r.answer(keys[i])
	}
	values, err := r.client.MGet(ctx, names...).Result()
	if err != nil {
		return nil, fmt.Errorf("get answers: %w", err)
	}
	texts := make([][]byte, len(keys))
	for i := range min(len(values), len(texts)) {
		if text, ok := values[i].(string); ok {
			texts[i] = []byte(text)
		}
	}
	return texts, nil
}

// answer is the key of an answer, whose name does not leave the process: it is hashed.
func (r *Redis) answer(key string) string {
	sum := sha256.Sum256([]byte(key))
	return r.key + ":answer:" + base64.RawURLEncoding.EncodeToString(sum[:16])
}
