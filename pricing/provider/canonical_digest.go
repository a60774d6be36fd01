//go:build !wasip1

package provider

import "crypto/sha256"

// CanonicalDigest returns the SHA-256 of what Canonical writes. The filter has no cache and does without it, as the
// hash with its self-tests would make it larger and slower to start.
func (r *Request) CanonicalDigest() [sha256.Size]byte {
	h := sha256.New()
	_ = r.Canonical(h) // a hash takes everything
	return [sha256.Size]byte(h.Sum(nil))
}
