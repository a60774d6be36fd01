package policyfile

import (
	"slices"
	"strings"
)

// quantityWords are what the language writes beside numbers.
var quantityWords = []string{
	"token", "tokens", "per", "day", "days", "week", "month", "hour", "gpu-hour", "second", "1M", "below", "above", "down", "to", "rolling",
}

// maxQuantity is the longest number that is taken for one, in bytes: "$999,999.999".
const maxQuantity = 12

// isQuantity reports whether a text is an amount with its unit, such as "10 tokens", "$5 per day", "24h" or "7.5%", or
// true or false. No credential looks like that: a number by itself may be one, and any other word.
func isQuantity(text string) bool {
	if text == "true" || text == "false" {
		return true
	}
	units := 0
	for word := range strings.FieldsSeq(text) {
		switch number, unit := numberWord(word); {
		case slices.Contains(quantityWords, word), number && unit:
			units++
		case !number:
			return false
		}
	}
	return units > 0
}

// numberWord reports whether a word is a short number, and whether it bears its unit.
func numberWord(word string) (number, unit bool) {
	digits := strings.TrimPrefix(word, "$")
	unit = digits != word
	if last := len(digits) - 1; last > 0 && strings.ContainsRune("%smhd", rune(digits[last])) {
		digits, unit = digits[:last], true
	} else if last > 0 && strings.ContainsRune("kM", rune(digits[last])) {
		digits = digits[:last]
	}
	plain, ok := dropThousands(digits)
	return ok && isNumber(plain) && len(word) <= maxQuantity, unit
}
