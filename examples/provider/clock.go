package main

import (
	"sync/atomic"
	"time"
)

// A clock is real time plus an offset that tests move forward. The zero value is ready; it is safe for concurrent use.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func (c *clock) advance(by time.Duration) { c.offset.Add(int64(by)) }

func (c *clock) reset() { c.offset.Store(0) }
