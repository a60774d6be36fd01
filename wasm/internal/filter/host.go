package filter

import "time"

// Host is the proxy as one exchange sees it. Header names are in lower case and include the pseudo-headers; a
// slice that a method returns belongs to the exchange. Methods are called from one goroutine, only within a
// callback of the exchange.
type Host interface {
	RequestHeaders() ([][2]string, error)
	// SetRequestHeader replaces all values of a header.
	SetRequestHeader(name, value string) error
	RemoveRequestHeader(name string) error
	// RequestBody returns the body so far: all of it once the request has ended.
	RequestBody() ([]byte, error)
	SetRequestBody(body []byte) error

	// Answer answers the client in place of the provider.
	Answer(status int, headers [][2]string, body []byte) error

	// ResponseStatus returns the HTTP status of the response, 0 if there is none.
	ResponseStatus() int
	// ResponseDetails says who made the response: "via_upstream", or the proxy's own reason.
	ResponseDetails() string
	// ResponseBody returns the piece of the response that the callback is about, at most size bytes.
	ResponseBody(size int) ([]byte, error)

	// Claim returns a claim of the token that the proxy verified, "" if there is none.
	Claim(name string) string
	// PeerURI returns the URI in the client's verified certificate, "" if there is none.
	PeerURI() string

	// Publish puts what is known of the call where access logs read it. The last value counts.
	Publish(record []byte) error
	// Log writes a line to the proxy's log.
	Log(message string)
	Now() time.Time
}

// Action is what the proxy is to do with the request after a callback.
type Action bool

// Continue sends on what has come so far; Pause holds it back.
const (
	Continue Action = false
	Pause    Action = true
)
