package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// boot is how farebox started.
type boot struct {
	ready    time.Duration
	resident int64 // bytes, after a second without traffic
}

// timeStarts starts farebox alone, each time with fresh state.
func (b *bench) timeStarts(ctx context.Context) ([]boot, error) {
	var boots []boot
	for i := range b.starts {
		fmt.Fprintf(b.progress, "bench: start %d of %d\n", i+1, b.starts)
		one, err := b.timeStart(ctx, "start"+strconv.Itoa(i))
		if err != nil {
			return nil, fmt.Errorf("start of farebox: %w", err)
		}
		boots = append(boots, one)
	}
	return boots, nil
}

func (b *bench) timeStart(ctx context.Context, name string) (one boot, err error) {
	s := &stack{dir: filepath.Join(b.dir, name)}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return boot{}, err
	}
	if err := os.WriteFile(s.policy(), []byte(enforcePolicy), 0o600); err != nil {
		return boot{}, err
	}
	defer s.stop()
	if one.ready, err = s.startFarebox(ctx, b.farebox); err != nil {
		return boot{}, err
	}
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return boot{}, ctx.Err()
	}
	one.resident, err = s.server.resident()
	return one, err
}
