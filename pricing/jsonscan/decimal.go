package jsonscan

import "math"

// decimal collects the digits of a number as significant * 10^(zeros-scale).
type decimal struct {
	significant uint64 // without the zeros at its end
	zeros       int    // the zeros at its end, so that 10.00 and 1e1 come out alike
	scale       int    // digits after the point
	inFraction  bool
	negative    bool
	overflow    bool
}

func (d *decimal) digit(n uint64) {
	if d.inFraction {
		d.scale++
	}
	if n == 0 {
		if d.significant != 0 {
			d.zeros++
		}
		return
	}
	d.multiply(d.zeros + 1)
	d.significant += n // at most MaxInt64 after multiply: no wrap
	d.zeros = 0
}

// multiply makes significant 10^power times as large, or sets overflow beyond an int64.
func (d *decimal) multiply(power int) {
	for ; power > 0 && !d.overflow; power-- {
		if d.significant > math.MaxInt64/10 {
			d.overflow = true
			return
		}
		d.significant *= 10
	}
}

// shifted returns the number times 10^exp, if that is a whole number that fits.
func (d *decimal) shifted(exp int) (int64, bool) {
	if d.significant == 0 {
		return 0, true
	}
	power := d.zeros - d.scale + exp
	if power < 0 {
		return 0, false
	}
	d.multiply(power)
	if d.overflow || d.significant > math.MaxInt64 {
		return 0, false
	}
	if d.negative {
		return -int64(d.significant), true
	}
	return int64(d.significant), true
}

// maxExponent is far more than the digits of any text that is read, so that clamping to it changes no result.
const maxExponent = 100_000_000

// exponent returns the value of the digits after the e, clamped.
func exponent(text []byte) int {
	exp, negative := 0, false
	for _, c := range text {
		switch c {
		case '+':
		case '-':
			negative = true
		default:
			exp = min(exp*10+int(c-'0'), maxExponent)
		}
	}
	if negative {
		return -exp
	}
	return exp
}
