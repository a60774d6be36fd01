package policyfile

import "testing"

func TestWhatIsNoQuantityMayBeACredential(t *testing.T) {
	for text, want := range map[string]bool{
		"10 tokens": true, "$5 per day": true, "$14,200 per month": true, "24h": true, "rolling 24h": true, "7.5%": true,
		"below 2k tokens": true, "1M tokens per day": true, "$2.10 per gpu-hour": true, "2k to 8k tokens": true, "true": true,
		"1234": false, "123456 654321": false, "2k": false, "": false, "hunter2": false, "sk-live-0123456789": false,
		"12345678901234567890 tokens": false, "5d41402abc4b2a76b9719d911017c592": false, "AKIA0123 per day": false,
		"$2a$10$N9qo8uLOickgx2ZMRZoMye": false, "enforce": false, "-5%": false,
	} {
		if got := isQuantity(text); got != want {
			t.Errorf("isQuantity(%q) = %t, want %t", text, got, want)
		}
	}
}
