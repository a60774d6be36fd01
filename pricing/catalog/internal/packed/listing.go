package packed

import "github.com/farebox-mesh/farebox/pricing"

// Flags of a record.
const (
	unpriced = 1 << iota
	disputed
	timed // has from, until or windows
	varied
)

func (w *writer) listing(l *pricing.Listing) {
	var flags uint64
	if l.Unpriced {
		flags |= unpriced
	}
	if l.Rival != nil {
		flags |= disputed
	}
	if !l.From.IsZero() || !l.Until.IsZero() || len(l.Windows) > 0 {
		flags |= timed
	}
	if len(l.Variants)+len(l.Uplifts) > 0 {
		flags |= varied
	}
	w.uint(flags)
	w.names(l)
	w.uint(uint64(l.Limits.Context))
	w.uint(uint64(l.Limits.MaxOutput))
	w.uint(uint64(l.Limits.CacheMinimum))
	w.string(l.Source)
	w.string(l.AsOf)
	w.string(l.Note)
	if !l.Unpriced {
		w.price(&l.Price)
	}
	if flags&varied != 0 {
		w.variants(l)
	}
	if flags&timed != 0 {
		w.time(l.From)
		w.time(l.Until)
		w.windows(l.Windows)
	}
	if r := l.Rival; r != nil {
		w.price(&r.Price)
		w.price(&r.Other)
		w.string(r.Source)
		w.string(r.AsOf)
	}
}

func (d *decoder) listing() *pricing.Listing {
	flags := d.uint()
	l := &pricing.Listing{Unpriced: flags&unpriced != 0}
	d.names(l)
	l.Limits = pricing.Limits{Context: int64(d.uint()), MaxOutput: int64(d.uint()), CacheMinimum: int64(d.uint())}
	l.Source, l.AsOf, l.Note = d.string(), d.string(), d.string()
	if !l.Unpriced {
		l.Price = d.price()
	}
	if flags&varied != 0 {
		d.variants(l)
	}
	if flags&timed != 0 {
		l.From, l.Until = d.time(), d.time()
		l.Windows = d.windows()
	}
	if flags&disputed != 0 {
		l.Rival = &pricing.Rival{Price: d.price(), Other: d.price(), Source: d.string(), AsOf: d.string()}
	}
	return l
}

func (w *writer) names(l *pricing.Listing) {
	w.string(string(l.Provider))
	w.string(string(l.Model))
	w.uint(uint64(len(l.Aliases)))
	for _, alias := range l.Aliases {
		w.string(string(alias))
	}
}

func (d *decoder) names(l *pricing.Listing) {
	l.Provider, l.Model = pricing.ProviderName(d.string()), pricing.ModelName(d.string())
	for range d.uint() {
		l.Aliases = append(l.Aliases, pricing.ModelName(d.string()))
	}
}

func (w *writer) variants(l *pricing.Listing) {
	w.uint(uint64(len(l.Variants)))
	for i := range l.Variants {
		v := &l.Variants[i]
		n := len(services) // of a class that this package does not number
		for j, s := range services {
			if s == v.Service {
				n = j
			}
		}
		w.uint(uint64(n))
		if n == len(services) {
			w.string(string(v.Service))
		}
		w.price(&v.Price)
	}
	w.uint(uint64(len(l.Uplifts)))
	for _, u := range l.Uplifts {
		w.string(u.Region)
		w.uint(uint64(u.PPM))
	}
}

func (d *decoder) variants(l *pricing.Listing) {
	for range d.uint() {
		var v pricing.Variant
		if n := d.uint(); n < uint64(len(services)) {
			v.Service = services[n]
		} else {
			v.Service = pricing.Service(d.string())
		}
		v.Price = d.price()
		l.Variants = append(l.Variants, v)
	}
	for range d.uint() {
		l.Uplifts = append(l.Uplifts, pricing.Uplift{Region: d.string(), PPM: int64(d.uint())})
	}
}
