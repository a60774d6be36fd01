package main

import (
	"encoding/json"
	"sync"
)

const (
	storedMost  = 10_000   // responses kept
	storedBytes = 64 << 20 // of their items
)

// A responseStore keeps what Responses calls are built upon: input and output items by response id. The zero value
// is empty; it is safe for concurrent use. The oldest go first.
type responseStore struct {
	mu    sync.Mutex
	items map[string][]json.RawMessage
	known map[string]int // ids of stored items, by how many responses hold them
	order []string
	bytes int
}

func (s *responseStore) put(id string, items []json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items == nil {
		s.items, s.known = map[string][]json.RawMessage{}, map[string]int{}
	}
	s.items[id] = items
	s.order = append(s.order, id)
	s.count(items, 1)
	for len(s.order) > storedMost || s.bytes > storedBytes && len(s.order) > 1 {
		oldest := s.order[0]
		s.order = s.order[1:]
		s.count(s.items[oldest], -1)
		delete(s.items, oldest)
	}
}

// count keeps the sums while items come and go.
func (s *responseStore) count(items []json.RawMessage, by int) {
	for _, raw := range items {
		s.bytes += by * len(raw)
		var it struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(raw, &it) != nil || it.ID == "" {
			continue
		}
		if s.known[it.ID] += by; s.known[it.ID] == 0 {
			delete(s.known, it.ID)
		}
	}
}

func (s *responseStore) get(id string) ([]json.RawMessage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items, ok := s.items[id]
	return items[:len(items):len(items)], ok
}

func (s *responseStore) hasItem(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[id] > 0
}

func (s *responseStore) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items, s.known, s.order, s.bytes = nil, nil, nil, 0
}
