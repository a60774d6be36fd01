// Package upstream knows where calls can go besides where the caller sent them: own pools, how busy they are, whether
// they are cheaper than the API at the moment, and the credentials that calls carry to a provider or pool.
package upstream
