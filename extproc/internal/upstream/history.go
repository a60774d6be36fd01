package upstream

import (
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

const (
	day = 24 * time.Hour
	// bucketLength divides a day. What is older than a day less one bucket is forgotten bucket by bucket, so
	// that sums are never of more than 24 hours.
	bucketLength = 10 * time.Minute
	buckets      = int(day / bucketLength)
)

// history is a sum over the last 24 hours. The zero value is an empty one.
type history struct {
	ring   [buckets]bucket // bucket n stands at n modulo the length
	latest int64           // number of the newest bucket
	cost   pricing.Money   // sum over ring
	tokens int64           // likewise
}

// bucket sums calls of one stretch of time. Its number counts buckets since 1970.
type bucket struct {
	Number int64         `json:"number"`
	Cost   pricing.Money `json:"cost_nanodollars"`
	Tokens int64         `json:"tokens"`
}

// bucketOf returns the number of the bucket that contains at.
func bucketOf(at time.Time) int64 { return at.Unix() / int64(bucketLength/time.Second) }

// place returns where the bucket of that number stands.
func (h *history) place(number int64) *bucket { return &h.ring[number%int64(buckets)] }

// oldest returns the number of the oldest bucket that counts.
func (h *history) oldest() int64 { return h.latest - int64(buckets) + 1 }

// advance forgets what is older than a day at now. Time never runs backwards in a history.
func (h *history) advance(now time.Time) {
	n := bucketOf(now)
	if n <= h.latest {
		return
	}
	h.latest = n
	h.cost, h.tokens = 0, 0
	for i := range h.ring {
		b := &h.ring[i]
		if b.Number < h.oldest() {
			*b = bucket{}
		}
		h.sum(*b)
	}
}

// add counts a call at a moment. One that is older than a day changes nothing; neither number is negative.
func (h *history) add(at time.Time, cost pricing.Money, tokens int64) {
	h.advance(at)
	h.merge(bucket{Number: bucketOf(at), Cost: cost, Tokens: tokens})
}

// merge adds a bucket to the one of its number, if that still counts.
func (h *history) merge(b bucket) {
	if b.Number < h.oldest() || b.Number > h.latest || b.Number < 0 {
		return
	}
	at := h.place(b.Number)
	at.Number = b.Number
	at.Cost, at.Tokens = pricing.AddCapped(at.Cost, b.Cost), pricing.AddCapped(at.Tokens, b.Tokens)
	h.sum(b)
}

// sum adds a bucket to the totals.
func (h *history) sum(b bucket) {
	h.cost, h.tokens = pricing.AddCapped(h.cost, b.Cost), pricing.AddCapped(h.tokens, b.Tokens)
}
