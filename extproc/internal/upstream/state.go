package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/policies"
)

const (
	stateFile    = "pools.json"
	stateVersion = 1
	saveEvery    = 5 * time.Second
	// maxFuture is how far a bucket of the file may lie ahead of the clock, in buckets, as clocks are set back.
	maxFuture = 6
)

// state is what the file holds, after a first line with its checksum.
type state struct {
	Version int                               `json:"version"`
	Pools   map[policies.RouteName]savedState `json:"pools"`
}

type savedState struct {
	Cheaper bool     `json:"cheaper"`
	Buckets []bucket `json:"buckets"`
	Taken   []bucket `json:"taken,omitempty"`
	Load    Load     `json:"load,omitzero"`
}

// Open returns the pools with the state that an earlier process left in dir, to be named by SetPools. The
// state is saved every few seconds when it has changed, and by Close. A file that cannot be read is reported
// to the logger, and histories start empty. With an empty dir nothing is kept.
func Open(dir string, now time.Time, logger *slog.Logger) *Pools {
	p, err := Read(dir, now)
	if err != nil {
		logger.LogAttrs(context.Background(), slog.LevelWarn, "pool state lost, the last 24 hours start empty",
			slog.Any("err", err))
	}
	p.logger = logger
	if dir != "" {
		p.path = filepath.Join(dir, stateFile)
		p.saver.Go(p.saveOnTick)
	}
	return p
}

// Read returns the pools as a process that may still be running last saved them in dir, to be named by SetPools.
// They never write there and need no Close. A missing file, or an empty dir, means empty histories; with an
// error they are empty as well.
func Read(dir string, now time.Time) (*Pools, error) {
	p := &Pools{stop: make(chan struct{})}
	if dir == "" {
		return p, nil
	}
	path := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read pool state: %w", err)
	}
	s, err := parseState(data)
	if err != nil {
		return p, fmt.Errorf("read pool state %q: %w", path, err)
	}
	p.loaded = make(map[policies.RouteName]*pool, len(s.Pools))
	for name, saved := range s.Pools {
		p.loaded[name] = saved.restore(now)
	}
	return p, nil
}

// saveOnTick runs until Close.
func (p *Pools) saveOnTick() {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	healthy := true
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		err := p.save()
		if err != nil && healthy {
			p.logger.LogAttrs(context.Background(), slog.LevelWarn, "pool state not saved", slog.Any("err", err))
		}
		healthy = err == nil
	}
}

// Close saves the state. It may be called more than once.
func (p *Pools) Close() error {
	p.mu.Lock()
	ended := p.ended
	p.ended = true
	p.mu.Unlock()
	if ended {
		return nil
	}
	close(p.stop)
	p.saver.Wait()
	return p.save()
}

// restore leaves out what lies too far ahead, which would hold back every later call.
func (s savedState) restore(now time.Time) *pool {
	q := &pool{cheaper: s.Cheaper, load: s.Load}
	q.history.restore(s.Buckets, now)
	q.taken.restore(s.Taken, now)
	return q
}

func (h *history) restore(saved []bucket, now time.Time) {
	h.advance(now)
	for _, b := range saved {
		if b.Number <= bucketOf(now)+maxFuture {
			h.advance(time.Unix(b.Number*int64(bucketLength/time.Second), 0))
			h.merge(b)
		}
	}
}

// save returns the buckets that hold anything.
func (h *history) save() []bucket {
	var saved []bucket
	for _, b := range h.ring {
		if b != (bucket{}) {
			saved = append(saved, b)
		}
	}
	return saved
}

// save writes the file if the state has changed since it was last written.
func (p *Pools) save() error {
	p.mu.Lock()
	dirty := p.dirty && p.path != ""
	var data []byte
	if dirty {
		data = formatState(p.pools)
		p.dirty = false
	}
	p.mu.Unlock()
	if !dirty {
		return nil
	}
	err := writeFile(p.path, data)
	if err != nil {
		p.mu.Lock()
		p.dirty = true
		p.mu.Unlock()
	}
	return err
}

// formatState prints the state: its checksum in hexadecimal, a line feed, and JSON.
func formatState(pools map[policies.RouteName]*pool) []byte {
	s := state{Version: stateVersion, Pools: map[policies.RouteName]savedState{}}
	for name, q := range pools {
		s.Pools[name] = savedState{Cheaper: q.cheaper, Buckets: q.history.save(), Taken: q.taken.save(), Load: q.load}
	}
	body, err := json.Marshal(s)
	if err != nil {
		panic("internal error: pool state does not marshal: " + err.Error())
	}
	return fmt.Appendf(nil, "%s\n%s\n", checksum(body), body)
}

func checksum(body []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(body)) }

// parseState reads what formatState printed.
func parseState(data []byte) (state, error) {
	sum, body, _ := bytes.Cut(data, []byte("\n"))
	body = bytes.TrimSuffix(body, []byte("\n"))
	if string(sum) != checksum(body) {
		return state{}, errors.New("checksum differs")
	}
	var s state
	if err := json.Unmarshal(body, &s); err != nil {
		return state{}, err
	}
	if s.Version != stateVersion {
		return state{}, fmt.Errorf("version %d, want %d", s.Version, stateVersion)
	}
	for name, saved := range s.Pools {
		for _, b := range slices.Concat(saved.Buckets, saved.Taken) {
			if b.Number < 0 || b.Cost < 0 || b.Tokens < 0 {
				return state{}, fmt.Errorf("pool %q: negative number", name)
			}
		}
	}
	return s, nil
}

// writeFile replaces a file as a whole: after a crash it holds the old bytes or the new ones. The caller is the
// only writer.
func writeFile(path string, data []byte) error {
	next := path + ".tmp"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
