package cache

import (
	"strings"
	"testing"
)

func BenchmarkGet(b *testing.B) {
	c, _ := newCache(b, 64)
	if err := c.Put(keyOf(1), answer(strings.Repeat("x", 2000))); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(keyOf(1), noon); !ok {
			b.Fatal("miss")
		}
	}
}

func BenchmarkPut(b *testing.B) {
	c, _ := newCache(b, 64)
	e := answer(strings.Repeat("x", 2000))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if err := c.Put(keyOf(n), e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewKey(b *testing.B) {
	p := parts()
	b.ReportAllocs()
	for b.Loop() {
		NewKey(p)
	}
}

func BenchmarkClaim(b *testing.B) {
	p := NewPrefixes()
	p.Sent(system, noon)
	p.Kept(system, noon)
	b.ReportAllocs()
	for b.Loop() {
		if !p.Claim(system, noon) {
			b.Fatal("not claimed")
		}
	}
}
