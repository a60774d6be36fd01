package policies

import (
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

func (w *encoder) listing(l *pricing.Listing) {
	w.text("provider", string(l.Provider))
	w.text("model", string(l.Model))
	writeTexts(w, "aliases", l.Aliases)
	w.flag("unpriced", l.Unpriced)
	w.price(&l.Price)
	objects(w, "variants", l.Variants, func(v *pricing.Variant) {
		w.text("service", string(v.Service))
		w.price(&v.Price)
	})
	objects(w, "uplifts", l.Uplifts, func(u *pricing.Uplift) {
		w.text("region", u.Region)
		w.int("ppm", u.PPM)
	})
	w.int("context", l.Limits.Context)
	w.int("max_output", l.Limits.MaxOutput)
	w.int("cache_minimum", l.Limits.CacheMinimum)
	w.moment("from", l.From)
	w.moment("until", l.Until)
	objects(w, "windows", l.Windows, w.window)
}

func (w *encoder) price(p *pricing.Price) {
	w.rates(p.Rates)
	objects(w, "brackets", p.Brackets, func(b *pricing.Bracket) {
		w.int("above", b.Above)
		w.rates(b.Rates)
	})
	if p.Fees == (pricing.Fees{}) {
		return
	}
	w.key("fees")
	w.open('{')
	for _, f := range feeFields(&p.Fees) {
		w.int(f.key, int64(*f.rate))
	}
	w.close('}')
}

// rates leaves out those of media that are the text's, as in most listings.
func (w *encoder) rates(r pricing.Rates) {
	text := r
	text.InputAudio, text.InputImage, text.CacheReadAudio, text.OutputAudio, text.OutputImage = 0, 0, 0, 0, 0
	if r == text.WithText() {
		r = text
	}
	for _, f := range rateFields(&r) {
		w.int(f.key, int64(*f.rate))
	}
}

func (w *encoder) window(h *pricing.Window) {
	w.int("start", int64(h.Start/time.Second))
	w.int("end", int64(h.End/time.Second))
	w.int("weekdays", int64(h.Weekdays))
	objects(w, "except", h.Except, func(d *pricing.Day) { w.int("day", int64(*d)) })
}

// rateField is a rate with its key in JSON.
type rateField struct {
	key  string
	rate *pricing.Rate
}

func rateFields(r *pricing.Rates) [10]rateField {
	return [...]rateField{
		{"input", &r.Input}, {"cache_read", &r.CacheRead}, {"cache_write_short", &r.CacheWriteShort},
		{"cache_write_long", &r.CacheWriteLong}, {"output", &r.Output},
		{"input_audio", &r.InputAudio}, {"input_image", &r.InputImage}, {"cache_read_audio", &r.CacheReadAudio},
		{"output_audio", &r.OutputAudio}, {"output_image", &r.OutputImage},
	}
}

func feeFields(f *pricing.Fees) [8]rateField {
	return [...]rateField{
		{"request", &f.Request}, {"web_search", &f.WebSearch}, {"file_search", &f.FileSearch}, {"code_run", &f.CodeRun},
		{"search_unit", &f.SearchUnit}, {"image", &f.Image}, {"second", &f.Second}, {"character", &f.Character},
	}
}

func (d *decoder) listing(l *pricing.Listing, key string, v jsonscan.Token) bool {
	switch key {
	case "provider":
		l.Provider = pricing.ProviderName(d.text(v))
	case "model":
		l.Model = pricing.ModelName(d.text(v))
	case "aliases":
		l.Aliases = readTexts[pricing.ModelName](d, v)
	case "unpriced":
		l.Unpriced = d.flag(v)
	case "variants":
		l.Variants = list(d, v, d.variant)
	case "uplifts":
		l.Uplifts = list(d, v, d.uplift)
	case "context":
		l.Limits.Context = d.int(v)
	case "max_output":
		l.Limits.MaxOutput = d.int(v)
	case "cache_minimum":
		l.Limits.CacheMinimum = d.int(v)
	case "from":
		l.From = time.Unix(d.int(v), 0).UTC()
	case "until":
		l.Until = time.Unix(d.int(v), 0).UTC()
	case "windows":
		l.Windows = list(d, v, d.window)
	default:
		return d.price(&l.Price, key, v)
	}
	return true
}

// fillMedia puts back the rates of media that encoder.rates left out.
func fillMedia(l *pricing.Listing) {
	fill := func(p *pricing.Price) {
		p.Rates = p.Rates.WithText()
		for i := range p.Brackets {
			p.Brackets[i].Rates = p.Brackets[i].Rates.WithText()
		}
	}
	fill(&l.Price)
	for i := range l.Variants {
		fill(&l.Variants[i].Price)
	}
}

func (d *decoder) variant(t *pricing.Variant, key string, v jsonscan.Token) bool {
	if key == "service" {
		t.Service = pricing.Service(d.text(v))
		return true
	}
	return d.price(&t.Price, key, v)
}

func (d *decoder) uplift(u *pricing.Uplift, key string, v jsonscan.Token) bool {
	switch key {
	case "region":
		u.Region = d.text(v)
	case "ppm":
		u.PPM = d.int(v)
	default:
		return false
	}
	return true
}

func (d *decoder) price(p *pricing.Price, key string, v jsonscan.Token) bool {
	switch key {
	case "brackets":
		p.Brackets = list(d, v, func(b *pricing.Bracket, key string, v jsonscan.Token) bool {
			if key == "above" {
				b.Above = d.int(v)
				return true
			}
			return d.rates(&b.Rates, key, v)
		})
	case "fees":
		d.object(v, func(key string, v jsonscan.Token) bool {
			fields := feeFields(&p.Fees)
			return d.rateField(fields[:], key, v)
		})
	default:
		return d.rates(&p.Rates, key, v)
	}
	return true
}

func (d *decoder) rates(r *pricing.Rates, key string, v jsonscan.Token) bool {
	fields := rateFields(r)
	return d.rateField(fields[:], key, v)
}

func (d *decoder) rateField(fields []rateField, key string, v jsonscan.Token) bool {
	for _, f := range fields {
		if f.key == key {
			*f.rate = d.rate(v)
			return true
		}
	}
	return false
}

func (d *decoder) window(w *pricing.Window, key string, v jsonscan.Token) bool {
	switch key {
	case "start":
		w.Start = d.sinceMidnight(v)
	case "end":
		w.End = d.sinceMidnight(v)
	case "weekdays":
		days := d.int(v)
		if days > 1<<7-1 {
			d.fail(v, "expected seven bits")
		}
		w.Weekdays = uint8(days)
	case "except":
		w.Except = list(d, v, func(day *pricing.Day, key string, v jsonscan.Token) bool {
			*day = pricing.Day(d.int(v))
			return key == "day"
		})
	default:
		return false
	}
	return true
}

func (d *decoder) sinceMidnight(v jsonscan.Token) time.Duration {
	seconds := d.int(v)
	if seconds > 24*60*60 {
		d.fail(v, "expected seconds of a day")
		return 0
	}
	return time.Duration(seconds) * time.Second
}
