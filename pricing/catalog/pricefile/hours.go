package pricefile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
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
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		c := texts[name]
		if c.Source == "" || !validDay(c.AsOf) {
			return nil, fmt.Errorf("calendar %q: want a source and the day of reading as YYYY-MM or YYYY-MM-DD", name)
		}
		var err error
		if days[name], err = parseDays(c.Days); err != nil {
			return nil, fmt.Errorf("calendar %q: %w", name, err)
		}
	}
	return days, nil
}

// parseDays reads rising days.
func parseDays(texts []string) ([]pricing.Day, error) {
	var days []pricing.Day
	for _, text := range texts {
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a day", text)
		}
		day := pricing.DayOf(t)
		if n := len(days); n > 0 && day <= days[n-1] {
			return nil, fmt.Errorf("day %s does not follow the one before it", text)
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

// weekdays are named in the order of time.Weekday.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func readWindows(texts []window, holidays map[string][]pricing.Day) ([]pricing.Window, error) {
	var out []pricing.Window
	for i := range texts {
		w, err := texts[i].parse(holidays)
		if err != nil {
			return nil, fmt.Errorf("window: %w", err)
		}
		out = append(out, w)
	}
	return out, nil
}

func (w *window) parse(holidays map[string][]pricing.Day) (pricing.Window, error) {
	var out pricing.Window
	for _, d := range w.Days {
		i := slices.Index(weekdays, d)
		if i < 0 {
			return out, fmt.Errorf("unknown day %q", d)
		}
		out.Weekdays |= 1 << i
	}
	var err error
	if out.Start, err = sinceMidnight(w.Start); err != nil {
		return out, err
	}
	if out.End, err = sinceMidnight(w.End); err != nil {
		return out, err
	}
	if out.Weekdays == 0 || out.Start >= out.End {
		return out, fmt.Errorf("%s-%s on %d days is empty", w.Start, w.End, len(w.Days))
	}
	return out, w.except(&out, holidays)
}

// except fills in the days on which the window is closed.
func (w *window) except(out *pricing.Window, holidays map[string][]pricing.Day) error {
	days, err := parseDays(w.Except)
	if err != nil {
		return err
	}
	if w.Calendar != "" {
		named, ok := holidays[w.Calendar]
		if !ok {
			return fmt.Errorf("unknown calendar %q", w.Calendar)
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
	out := window{Start: timeOfDay(w.Start), End: timeOfDay(w.End)}
	for i, name := range weekdays {
		if w.Weekdays&(1<<i) != 0 {
			out.Days = append(out.Days, name)
		}
	}
	if w.Weekdays == 0 && w.End == 0 { // the zero window is always
		out.Days, out.End = weekdays, "24:00"
	}
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

func timeOfDay(d time.Duration) string {
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	if s != 0 {
		return fmt.Sprintf("%02d:%02d:%02d", h, m, s)
	}
	return fmt.Sprintf("%02d:%02d", h, m)
}
