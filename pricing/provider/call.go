package provider

// ParseCall reads a call to ep, which ParsePath made of path: its body, as a form where its API takes one and the content
// type says so, and the headers that its price depends on, by names in lower case. contentType is all that the client
// states, several values joined with commas. The error is a *RequestError.
func ParseCall(ep Endpoint, path, contentType string, header func(name string) string, body []byte) (Request, error) {
	var r Request
	var err error
	if ep.TakesForm(contentType) {
		r, err = ParseForm(ep, path, contentType, body)
	} else {
		r, err = ParseRequest(ep, path, body)
	}
	if err != nil {
		return Request{}, err
	}
	r.readHeaders(header)
	return r, nil
}
