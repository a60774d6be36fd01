package policyfile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// A mistake is why a text is not the quantity that it should be. It is a *Problem without a place.
type mistake struct {
	code    Code
	message string
	hint    string
}

func wrong(code Code, hint, format string, args ...any) *mistake {
	return &mistake{code: code, message: fmt.Sprintf(format, args...), hint: hint}
}

// dollars reads "$14,200" or "$2.10".
func dollars(text string) (pricing.Money, *mistake) {
	digits, signed := strings.CutPrefix(text, "$")
	switch {
	case strings.HasPrefix(text, "-"), strings.HasPrefix(digits, "-"):
		return 0, wrong(ImpossibleLimit, "", "amount %q is negative", text)
	case !signed && isNumber(text):
		return 0, wrong(MissingUnit, fmt.Sprintf("write \"$%s\"", text), "amount %q has no currency", text)
	case !signed:
		return 0, wrong(BadValue, `write an amount such as "$14,200"`, "%q is no amount of dollars", text)
	}
	plain, ok := dropThousands(digits)
	if !ok || !isNumber(plain) {
		return 0, wrong(BadValue, `write an amount such as "$14,200" or "$2.10"`, "%q is no amount of dollars", text)
	}
	if _, decimals, _ := strings.Cut(plain, "."); len(decimals) > 9 {
		return 0, wrong(TooPrecise, "money counts in billionths of a dollar", "amount %q has more than nine decimals", text)
	}
	m, err := pricing.ParseMoney(plain)
	if errors.Is(err, pricing.ErrOverflow) {
		return 0, wrong(OutOfRange, "", "amount %q is beyond nine billion dollars", text)
	} else if err != nil {
		return 0, wrong(BadValue, `write an amount such as "$2.10"`, "%q is no amount of dollars", text)
	}
	return m, nil
}

// isNumber reports whether s is digits with at most one point between them.
func isNumber(s string) bool {
	whole, frac, dotted := strings.Cut(s, ".")
	return isDigits(whole) && (!dotted || isDigits(frac))
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// dropThousands takes the commas out of "14,200.50" and reports whether they stood in the right places.
func dropThousands(s string) (string, bool) {
	whole, _, _ := strings.Cut(s, ".")
	groups := strings.Split(whole, ",")
	for i, g := range groups {
		if len(groups) > 1 && (len(g) > 3 || g == "" || (i > 0 && len(g) != 3)) {
			return "", false
		}
	}
	return strings.Join(groups, "") + s[len(whole):], true
}

// words splits a text at " per ", with any run of white space read as one space.
func words(text, at string) (before, after string, ok bool) {
	return strings.Cut(strings.Join(strings.Fields(text), " "), at)
}

// tokens reads "10 tokens", "1 token", "32k tokens", "1.5M tokens"; k is a thousand, M a million. It may be 0.
func tokens(text string) (int64, *mistake) {
	fields := strings.Fields(text)
	if len(fields) == 1 {
		if _, m := count(text); m == nil {
			return 0, wrong(MissingUnit, fmt.Sprintf("write %q", text+" tokens"), "%q has no unit", text)
		}
	}
	if len(fields) != 2 || (fields[1] != "tokens" && fields[1] != "token") {
		return 0, wrong(BadValue, `write a number of tokens such as "32k tokens"`, "%q is no number of tokens", text)
	}
	return count(fields[0])
}

// count reads a whole number with an optional k or M.
func count(text string) (int64, *mistake) {
	number, scale := text, int64(1)
	if n, ok := strings.CutSuffix(text, "k"); ok {
		number, scale = n, 1_000
	} else if n, ok := strings.CutSuffix(text, "M"); ok {
		number, scale = n, 1_000_000
	}
	plain, ok := dropThousands(strings.TrimPrefix(number, "-"))
	if !ok || !isNumber(plain) {
		return 0, wrong(BadValue, `write a number such as "2000" or "2k"`, "%q is no number", text)
	}
	if strings.HasPrefix(number, "-") {
		return 0, wrong(ImpossibleLimit, "", "%q is negative", text)
	}
	billionths, err := pricing.ParseMoney(plain)
	if errors.Is(err, pricing.ErrOverflow) || int64(billionths) > math.MaxInt64/scale {
		return 0, wrong(OutOfRange, "", "%q is too large", text)
	}
	n := int64(billionths) * scale
	if err != nil || n%int64(pricing.Dollar) != 0 {
		return 0, wrong(BadValue, "", "%q is no whole number", text)
	}
	return n / int64(pricing.Dollar), nil
}

// tokenRange reads "below 2000 tokens", "above 8k tokens" or "2k to 8k tokens", both ends included in the last.
func tokenRange(text string) (policies.Range, *mistake) {
	line := strings.Join(strings.Fields(text), " ")
	if rest, ok := strings.CutPrefix(line, "below "); ok {
		n, m := tokens(rest)
		if m == nil && n == 0 {
			m = wrong(ImpossibleLimit, "", "no call has fewer than 0 tokens")
		}
		return policies.Range{Max: n}, m
	}
	if rest, ok := strings.CutPrefix(line, "above "); ok {
		n, m := tokens(rest)
		return policies.Range{Min: n + 1}, m
	}
	low, rest, ok := strings.Cut(line, " to ")
	if !ok {
		hint := `write "below 2000 tokens", "above 8k tokens" or "2k to 8k tokens"`
		if _, m := count(line); m == nil {
			return policies.Range{}, wrong(MissingUnit, hint, "%q has no unit", text)
		}
		return policies.Range{}, wrong(BadValue, hint, "%q is no range of tokens", text)
	}
	first, m := count(strings.TrimSuffix(low, " tokens"))
	if m != nil {
		return policies.Range{}, m
	}
	last, m := tokens(rest)
	if m == nil && last < first {
		m = wrong(ImpossibleLimit, "the smaller number comes first", "no number is in %q", text)
	}
	return policies.Range{Min: first, Max: last + 1}, m
}

// throughput reads "2500 tokens per second".
func throughput(text string) (int64, *mistake) {
	amount, per, ok := words(text, " per ")
	if !ok || per != "second" {
		return 0, wrong(MissingUnit, `write "2500 tokens per second"`, "%q has no unit of throughput", text)
	}
	return tokens(amount)
}

// gpuHour reads "$2.10 per gpu-hour".
func gpuHour(text string) (pricing.Money, *mistake) {
	amount, per, ok := words(text, " per ")
	if !ok || per != "gpu-hour" {
		return 0, wrong(MissingUnit, `write "$2.10 per gpu-hour"`, "%q has no unit of cost", text)
	}
	return dollars(amount)
}

// perMillion reads "$30 per 1M" or "$30 per 1M tokens".
func perMillion(text string) (pricing.Rate, *mistake) {
	amount, per, ok := words(text, " per ")
	if !ok || (per != "1M" && per != "1M tokens") {
		return 0, wrong(MissingUnit, `write "$30 per 1M"`, "%q has no unit of price", text)
	}
	m, bad := dollars(amount)
	return pricing.Rate(m), bad
}

// lifetime reads "24h", "90m", "30s", "1h30m" or "7d".
func lifetime(text string) (time.Duration, *mistake) {
	hint := `write a duration such as "24h"`
	if isNumber(strings.TrimPrefix(text, "-")) {
		return 0, wrong(MissingUnit, hint, "%q has no unit", text)
	}
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok && isDigits(days) {
		d, err = 0, errors.New("too long")
		if n, e := strconv.Atoi(days); e == nil && n <= 10_000 {
			d, err = time.Duration(n)*24*time.Hour, nil
		}
	}
	switch {
	case err != nil:
		return 0, wrong(BadValue, hint, "%q is no duration", text)
	case d < time.Second:
		return 0, wrong(ImpossibleLimit, hint, "%q is shorter than a second", text)
	}
	return d, nil
}

// megabytes reads "256 MB" or "1 GB", which is 1024 MB.
func megabytes(text string) (int, *mistake) {
	hint := `write a size such as "256 MB"`
	number, unit, _ := words(text, " ")
	scale := map[string]int64{"MB": 1, "GB": 1024}[unit]
	switch {
	case unit == "" && isNumber(number):
		return 0, wrong(MissingUnit, hint, "%q has no unit", text)
	case scale == 0 || !isDigits(number):
		return 0, wrong(BadValue, hint, "%q is no size", text)
	}
	n, err := strconv.ParseInt(number, 10, 32)
	switch {
	case err != nil || n*scale > math.MaxInt32:
		return 0, wrong(OutOfRange, hint, "%q is too large", text)
	case n == 0:
		return 0, wrong(ImpossibleLimit, hint, "nothing fits in %q", text)
	}
	return int(n * scale), nil
}

// temperature reads "up to 1".
func temperature(text string) (float64, *mistake) {
	number, ok := strings.CutPrefix(strings.Join(strings.Fields(text), " "), "up to ")
	f, err := strconv.ParseFloat(number, 64)
	if !ok || !isNumber(number) || err != nil {
		return 0, wrong(BadValue, `write "up to 1"`, "%q is no limit of temperature", text)
	}
	if f > 2 {
		return 0, wrong(OutOfRange, "", "no provider has a temperature of %s", number)
	}
	return f, nil
}

// downTo reads "down to 256 tokens".
func downTo(text string) (int64, *mistake) {
	rest, ok := strings.CutPrefix(strings.Join(strings.Fields(text), " "), "down to ")
	if !ok {
		return 0, wrong(BadValue, `write "down to 256 tokens"`, "%q is no smallest cap", text)
	}
	return tokens(rest)
}

// percent reads "15%" or "7.5%" in parts per million, up to 100%.
func percent(text string) (int64, *mistake) {
	hint := `write percents such as "15%"`
	number, ok := strings.CutSuffix(strings.TrimPrefix(text, "-"), "%")
	switch {
	case !ok && isNumber(number):
		return 0, wrong(MissingUnit, percentHint(text), "%q has no unit", text)
	case !ok || !isNumber(number):
		return 0, wrong(BadValue, hint, "%q is no percentage", text)
	}
	if _, decimals, _ := strings.Cut(number, "."); len(decimals) > 4 {
		return 0, wrong(TooPrecise, "factors count in millionths", "%q has more than four decimals", text)
	}
	billionths, err := pricing.ParseMoney(number)
	if err != nil || billionths > 100*pricing.Dollar || strings.HasPrefix(text, "-") {
		return 0, wrong(OutOfRange, hint, "%q is not from 0%% to 100%%", text)
	}
	return int64(billionths) / 100_000, nil
}

// percentHint says how to write a number without a unit as a percentage. One below 1 is meant as a fraction: 0.15 is 15%.
func percentHint(text string) string {
	fraction, err := pricing.ParseMoney(text)
	if err != nil || fraction <= 0 || fraction >= pricing.Dollar {
		return fmt.Sprintf("write %q", text+"%")
	}
	whole, rest := fraction/(pricing.Dollar/100), fraction%(pricing.Dollar/100)
	number := fmt.Sprintf("%d.%07d", whole, rest)
	return fmt.Sprintf("write %q", strings.TrimRight(strings.TrimRight(number, "0"), ".")+"%")
}

// wholePercent reads "60%".
func wholePercent(text string) (int64, *mistake) {
	ppm, m := percent(text)
	if m == nil && ppm%10_000 != 0 {
		m = wrong(TooPrecise, "", "%q is no whole percentage", text)
	}
	return ppm / 10_000, m
}

// perDay reads "1M tokens per day".
func perDay(text string) (int64, *mistake) {
	amount, per, ok := words(text, " per ")
	if !ok || per != "day" {
		return 0, wrong(MissingUnit, `write "above 1M tokens per day"`, "%q has no unit of volume", text)
	}
	return tokens(amount)
}

// days reads "400 days" or "1 day".
func days(text string) (time.Duration, *mistake) {
	hint := `write "400 days"`
	number, unit, _ := words(text, " ")
	switch {
	case unit == "" && isNumber(number):
		return 0, wrong(MissingUnit, fmt.Sprintf("write %q", text+" days"), "%q has no unit", text)
	case (unit != "days" && unit != "day") || !isDigits(number):
		return 0, wrong(BadValue, hint, "%q is no number of days", text)
	}
	n, err := strconv.Atoi(number)
	switch {
	case err != nil || n > 10_000:
		return 0, wrong(OutOfRange, hint, "%q is too long", text)
	case n == 0:
		return 0, wrong(ImpossibleLimit, "leave it out to keep them for ever", "nothing is kept for %q", text)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}
