package extproc

import (
	"cmp"
	"errors"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
)

// dispatch conducts one message and reports whether the stream has nothing left to do.
func (s *Server) dispatch(st stream, x *exchange.Exchange, m *extprocv3.ProcessingRequest) (done bool, err error) {
	switch r := m.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		reply, err := x.RequestHeaders(incoming(m, r.RequestHeaders))
		if err != nil {
			return true, err
		}
		return !reply.Metered && !reply.Fetched, ended(st.Send(headersReply(&reply)))
	case *extprocv3.ProcessingRequest_RequestBody:
		return requestBody(st, x, r.RequestBody.Body)
	case *extprocv3.ProcessingRequest_RequestTrailers:
		return false, ended(st.Send(requestTrailersReply()))
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return responseHeaders(st, x, m, r.ResponseHeaders)
	case *extprocv3.ProcessingRequest_ResponseBody:
		return s.responseBody(st, x, m, r.ResponseBody)
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		// What an edit still held back cannot follow the body: Envoy sends a body that ends before its trailers as it is.
		piece, err := x.ResponseBody(nil, true)
		if err != nil {
			return true, err
		}
		return true, ended(st.Send(responseTrailersReply(piece.Metadata)))
	}
	return true, status.Errorf(codes.FailedPrecondition, "message of unknown kind %T", m.Request)
}

// How long Envoy waits for the reply to a body: messageTimeout in the configuration that ships, and slowTimeout where
// it is asked for more. A reply that comes later lets no call out.
const (
	messageTimeout = time.Second
	slowTimeout    = 20 * time.Second
)

// errLate says that Envoy no longer waits for a reply.
var errLate = errors.New("reply too late")

// requestBody decides on a call. A reply that is late is not sent: the stream ends without it, so the call cannot
// leave, whatever Envoy's own timeout is.
func requestBody(st stream, x *exchange.Exchange, body []byte) (done bool, err error) {
	received, limit := time.Now(), messageTimeout
	if x.NeedsTime(body) {
		limit = slowTimeout
		if err := st.Send(moreTime); err != nil {
			return true, ended(err)
		}
	}
	reply, err := x.RequestBody(body)
	if err != nil {
		return true, err
	}
	message := bodyReply(&reply)
	switch err = st.Context().Err(); {
	case err != nil:
	case time.Since(received) >= limit:
		err = errLate
	default:
		err = st.Send(message)
	}
	if err != nil {
		x.NeverSent()
		if errors.Is(err, errLate) {
			return true, nil
		}
		return true, ended(err)
	}
	return reply.Answer != nil, nil
}

// responseHeaders hears what the headers say: where a provider states usage in them, or though it did not ask for
// them, as they are the whole of a response without a body.
func responseHeaders(st stream, x *exchange.Exchange, m *extprocv3.ProcessingRequest, h *extprocv3.HttpHeaders) (done bool, err error) {
	told, _ := responseStatus(m)
	if told.Code == 0 {
		told.Code = statusOf(h)
	}
	x.ResponseStatus(told)
	for _, f := range h.GetHeaders().GetHeaders() {
		x.ResponseHeader(f.Key, cmp.Or(string(f.RawValue), f.Value))
	}
	if !h.EndOfStream {
		return false, ended(st.Send(responseHeadersReply(nil)))
	}
	piece, err := x.ResponseBody(nil, true)
	if err != nil {
		return true, err
	}
	return true, ended(st.Send(responseHeadersReply(piece.Metadata)))
}

// responseBody lets every piece but the last pass first and reads it afterwards; the last one waits for its
// settlement to be journalled. Of a response that is edited every piece is read first.
func (s *Server) responseBody(st stream, x *exchange.Exchange, m *extprocv3.ProcessingRequest, b *extprocv3.HttpBody) (done bool, err error) {
	if told, ok := responseStatus(m); ok {
		x.ResponseStatus(told)
	}
	leaving := s.leaving.Load()
	if leaving {
		x.StopEditing()
	}
	if b.EndOfStream || x.Edits() {
		piece, err := x.ResponseBody(b.Body, b.EndOfStream)
		if err != nil {
			return true, err
		}
		sent := st.Send(pieceReply(&piece))
		return b.EndOfStream || sent != nil || leaving, ended(sent)
	}
	sent := st.Send(pass)
	if _, err := x.ResponseBody(b.Body, false); err != nil {
		return true, err
	}
	return sent != nil || leaving, ended(sent)
}
