package pricefile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// calendar names days on which hours do not count, such as public holidays.
type calendar struct {
	Days   []string `json:"days"`
	Source string   `json:"source"`
	AsOf   string   `json:"as_of"`
	Note   string   `json:"note,omitempty"`
}

func readCalendars(texts map[string]calendar) (map[string][]pricing.Day, error) {
	days := make(map[string][]pricing.Day, len(texts))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		c := texts[name]
		var err error
		days[name], err = parseDays("days", c.Days)
		errs = append(errs, at(name, about(fmt.Sprintf("calendar %q", name), errors.Join(checkOrigin(c.Source, c.AsOf), err))))
	}
	return days, errors.Join(errs...)
}

// parseDays reads rising days, the value of a key.
func parseDays(key string, texts []string) ([]pricing.Day, error) {
	var days []pricing.Day
	for i, text := range texts {
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, at(key, at(i, fmt.Errorf("%q is not a day", text)))
		}
		day := pricing.DayOf(t)
		if n := len(days); n > 0 && day <= days[n-1] {
			return nil, at(key, at(i, fmt.Errorf("day %s does not follow the one before it", text)))
		}
		days = append(days, day)
	}
	return days, nil
}

// window is a stretch of hours in UTC.
type window struct {
	Days     []string `json:"days"`
	Start    string   `json:"start"`
	End      string   `json:"end"`
	Calendar string   `json:"calendar,omitempty"`
	Except   []string `json:"except,omitempty"`
}

func readWindows(texts []window, holidays map[string][]pricing.Day) ([]pricing.Window, error) {
	var out []pricing.Window
	var errs []error
	for i := range texts {
		w, err := texts[i].parse(holidays)
		errs = append(errs, at("windows", at(i, about("window", err))))
		out = append(out, w)
	}
	return out, errors.Join(errs...)
}

func (w *window) parse(holidays map[string][]pricing.Day) (pricing.Window, error) {
	var out pricing.Window
	var errs []error
	for i, d := range w.Days {
		day := slices.Index(pricing.Weekdays[:], d)
		if day < 0 {
			errs = append(errs, at("days", at(i, &hinted{"one of " + strings.Join(pricing.Weekdays[:], ", "), fmt.Errorf("unknown day %q", d)})))
			continue
		}
		out.Weekdays |= 1 << day
	}
	var start, end error
	out.Start, start = sinceMidnight(w.Start)
	out.End, end = sinceMidnight(w.End)
	if err := errors.Join(append(errs, at("start", start), at("end", end), w.except(&out, holidays))...); err != nil {
		return out, err
	}
	if out.Weekdays == 0 || out.Start >= out.End {
		return out, fmt.Errorf("%s-%s on %d days is empty", w.Start, w.End, len(w.Days))
	}
	return out, nil
}

// except fills in the days on which the window is closed.
func (w *window) except(out *pricing.Window, holidays map[string][]pricing.Day) error {
	days, err := parseDays("except", w.Except)
	if err != nil {
		return err
	}
	if w.Calendar != "" {
		named, ok := holidays[w.Calendar]
		if !ok {
			return at("calendar", fmt.Errorf("unknown calendar %q", w.Calendar))
		}
		days = append(days, named...)
		slices.Sort(days)
		days = slices.Compact(days)
	}
	out.Except = days
	return nil
}

// windowOf is the inverse of window.parse.
func windowOf(w *pricing.Window) window {
	var out window
	out.Days, out.Start, out.End = w.Hours()
	for _, day := range w.Except {
		out.Except = append(out.Except, time.Unix(int64(day)*24*60*60, 0).UTC().Format(time.DateOnly))
	}
	return out
}

var errTimeOfDay = errors.New("want a time of day as HH:MM or HH:MM:SS, at most 24:00")

// sinceMidnight reads "HH:MM" or "HH:MM:SS", up to "24:00".
func sinceMidnight(s string) (time.Duration, error) {
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	layout := "15:04"
	if len(s) > len(layout) {
		layout = time.TimeOnly
	}
	t, err := time.Parse(layout, s)
	if err != nil || t.Format(layout) != s {
		return 0, fmt.Errorf("%q: %w", s, errTimeOfDay)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second, nil
}
