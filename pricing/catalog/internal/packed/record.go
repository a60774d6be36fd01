package packed

import (
	"encoding/binary"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// services number the classes of service.
var services = [...]pricing.Service{pricing.Standard, pricing.Batch, pricing.Flex, pricing.Priority, pricing.Fast, pricing.Ultrafast}

// writer appends a record. Strings go through text, which keeps each once.
type writer struct {
	b    []byte
	text func(string) (offset int)
}

// decoder reads what writer wrote.
type decoder struct {
	c  *Catalogue
	at int
}

func (w *writer) uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (d *decoder) uint() uint64 {
	var n uint64
	for shift := 0; ; shift += 7 {
		c := d.c.data[d.at]
		d.at++
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
}

func (w *writer) string(s string) {
	w.uint(uint64(len(s)))
	if s != "" {
		w.uint(uint64(w.text(s)))
	}
}

func (d *decoder) string() string {
	n := int(d.uint())
	if n == 0 {
		return ""
	}
	from := int(d.uint())
	return d.c.data[from : from+n]
}

// rate writes a rate without its trailing decimal zeros, which published prices have many of, and their number.
func (w *writer) rate(r pricing.Rate) {
	n, zeros := uint64(r), uint64(0)
	for n != 0 && n%10 == 0 && zeros < 15 {
		n, zeros = n/10, zeros+1
	}
	w.uint(zeros)
	w.uint(n)
}

func (d *decoder) rate() pricing.Rate {
	zeros, n := d.uint(), d.uint()
	for range zeros {
		n *= 10
	}
	return pricing.Rate(n)
}

// numbers writes rates or fees, those alone that differ from what guess says of the ones before them.
func (w *writer) numbers(all []*pricing.Rate, guess func(i int) pricing.Rate) {
	var mask uint64
	for i, r := range all {
		if *r != guess(i) {
			mask |= 1 << i
		}
	}
	w.uint(mask)
	for i, r := range all {
		if mask&(1<<i) != 0 {
			w.rate(*r)
		}
	}
}

func (d *decoder) numbers(all []*pricing.Rate, guess func(i int) pricing.Rate) {
	mask := d.uint()
	for i, r := range all {
		if mask&(1<<i) != 0 {
			*r = d.rate()
		} else {
			*r = guess(i)
		}
	}
}

func fieldsOf(r *pricing.Rates) []*pricing.Rate {
	return []*pricing.Rate{
		&r.Input, &r.CacheRead, &r.CacheWriteShort, &r.CacheWriteLong, &r.Output,
		&r.InputAudio, &r.InputImage, &r.CacheReadAudio, &r.OutputAudio, &r.OutputImage,
	}
}

// like names the rate that each of fieldsOf most often equals; -1 for none.
var like = [...]int{-1, 0, 0, 2, -1, 0, 0, 1, 4, 4}

func guessRates(all []*pricing.Rate) func(int) pricing.Rate {
	return func(i int) pricing.Rate {
		if like[i] < 0 {
			return 0
		}
		return *all[like[i]]
	}
}

func feesOf(f *pricing.Fees) []*pricing.Rate {
	return []*pricing.Rate{
		&f.Request, &f.WebSearch, &f.FileSearch, &f.CodeRun, &f.SearchUnit, &f.Image, &f.Second, &f.Character,
	}
}

func noGuess(int) pricing.Rate { return 0 }

func (w *writer) price(p *pricing.Price) {
	w.rates(&p.Rates)
	w.numbers(feesOf(&p.Fees), noGuess)
	w.uint(uint64(len(p.Brackets)))
	for i := range p.Brackets {
		w.uint(uint64(p.Brackets[i].Above))
		w.rates(&p.Brackets[i].Rates)
	}
}

func (d *decoder) price() pricing.Price {
	var p pricing.Price
	d.rates(&p.Rates)
	d.numbers(feesOf(&p.Fees), noGuess)
	if n := d.uint(); n > 0 {
		p.Brackets = make([]pricing.Bracket, n)
	}
	for i := range p.Brackets {
		p.Brackets[i].Above = int64(d.uint())
		d.rates(&p.Brackets[i].Rates)
	}
	return p
}

func (w *writer) rates(r *pricing.Rates) {
	all := fieldsOf(r)
	w.numbers(all, guessRates(all))
}

func (d *decoder) rates(r *pricing.Rates) {
	all := fieldsOf(r)
	d.numbers(all, guessRates(all))
}

// time writes seconds since 1970, and 0 for the zero time.
func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.uint(0)
		return
	}
	w.uint(zigzag(t.Unix()) + 1)
}

func (d *decoder) time() time.Time {
	n := d.uint()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(unzigzag(n-1), 0).UTC()
}

// zigzag makes small negative numbers small.
func zigzag(n int64) uint64   { return uint64(n)<<1 ^ uint64(n>>63) }
func unzigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

func (w *writer) windows(windows []pricing.Window) {
	w.uint(uint64(len(windows)))
	for _, win := range windows {
		w.uint(uint64(win.Start))
		w.uint(uint64(win.End))
		w.uint(uint64(win.Weekdays))
		w.uint(uint64(len(win.Except)))
		var last pricing.Day
		for _, day := range win.Except {
			w.uint(zigzag(int64(day - last)))
			last = day
		}
	}
}

func (d *decoder) windows() []pricing.Window {
	var out []pricing.Window
	for range d.uint() {
		win := pricing.Window{Start: time.Duration(d.uint()), End: time.Duration(d.uint()), Weekdays: uint8(d.uint())}
		var last pricing.Day
		for range d.uint() {
			last += pricing.Day(unzigzag(d.uint()))
			win.Except = append(win.Except, last)
		}
		out = append(out, win)
	}
	return out
}
