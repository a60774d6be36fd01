package main

import (
	"strings"
	"testing"
)

func TestTheAddressOfRedisMayComeFromTheEnvironment(t *testing.T) {
	t.Setenv(redisEnv, "")
	var s serveFlags
	if store, err := s.shared(); store != nil || err != nil {
		t.Errorf("without an address: got %v, %v, want no store", store, err)
	}
	t.Setenv(redisEnv, "nonsense://user:secret@host")
	if _, err := s.shared(); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want an error without the password", err)
	}
	s.redis = "redis://localhost:1"
	store, err := s.shared()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
