package main

import (
	"os"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
)

// redisEnv stands in for --redis, so that a password need not be seen among the processes.
const redisEnv = "FAREBOX_REDIS_URL"

// shared returns the store in which replicas share budgets, nil if they do not.
func (s *serveFlags) shared() (*lease.Redis, error) {
	address := string(s.redis)
	if address == "" {
		address = os.Getenv(redisEnv)
	}
	if address == "" {
		return nil, nil
	}
	store, err := lease.OpenRedis(address, lease.RedisOptions{Replicas: s.redisReplicas})
	if err != nil {
		return nil, err
	}
	return store, nil
}
