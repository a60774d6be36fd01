// Package extproc serves Envoy's external processing protocol.
//
// Server turns the messages of a stream into the phases of one exchange and the replies back into messages; it
// is the one importer of Envoy's protos. Envoy opens a stream per HTTP request:
//
//	request_headers  -> identify; ask for the body and the response, or let the request go
//	request_body     -> decide; edits, route and metadata, or an answer
//	response_body... -> answered at once and read afterwards; the last one is settled first
//
// Behaviour on faults:
//
//   - a message out of order: the stream ends with FailedPrecondition, the exchange settles
//   - the stream ends early, for whatever reason: the exchange settles what it saw
//   - a reply to the request body that could not be sent: the call never left, its reservation is released
//   - Shutdown: no new streams; open ones may finish until the context ends, then they are left, which Envoy
//     answers by passing the rest of the response through
//
// Envoy itself must be configured with failure_mode_allow and routes that refuse what nobody decided; the
// envoy package renders such configurations.
package extproc

import (
	"context"
	"errors"
	"io"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
)

// MaxMessage is the largest message that the server takes: Envoy's request buffer of 16 MiB and room for
// headers. A larger request is refused by Envoy itself.
const MaxMessage = 64 << 20

// Conductor begins exchanges. *exchange.Conductor implements it.
type Conductor interface {
	Begin() *exchange.Exchange
}

// Server implements envoy.service.ext_proc.v3.ExternalProcessor. Streams run together; each owns its exchange.
type Server struct {
	extprocv3.UnimplementedExternalProcessorServer
	conductor Conductor
	streams   StreamGauge
}

// StreamGauge counts open streams.
type StreamGauge interface {
	StreamOpened()
	StreamClosed()
}

// New returns a server for exchanges of c.
func New(c Conductor, g StreamGauge) *Server { return &Server{conductor: c, streams: g} }

// Process conducts one HTTP request.
func (s *Server) Process(stream extprocv3.ExternalProcessor_ProcessServer) error {
	s.streams.StreamOpened()
	defer s.streams.StreamClosed()
	x := s.conductor.Begin()
	defer x.End(exchange.StreamEnded)
	for {
		m, err := stream.Recv()
		if err != nil {
			return ended(err)
		}
		done, err := dispatch(stream, x, m)
		if err != nil || done {
			return err
		}
	}
}

// ended maps the end of a stream: how Envoy ends one says nothing about the exchange.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled {
		return nil
	}
	return err
}

// dispatch conducts one message and reports whether the stream has nothing left to do.
func dispatch(stream extprocv3.ExternalProcessor_ProcessServer, x *exchange.Exchange, m *extprocv3.ProcessingRequest) (done bool, err error) {
	switch r := m.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		reply := x.RequestHeaders(incoming(m, r.RequestHeaders))
		if reply.Answer != nil {
			return true, stream.Send(immediate(&reply))
		}
		return !reply.Metered, stream.Send(headersReply(&reply))
	case *extprocv3.ProcessingRequest_RequestBody:
		return requestBody(stream, x, r.RequestBody.Body)
	case *extprocv3.ProcessingRequest_ResponseBody:
		return responseBody(stream, x, m, r.ResponseBody)
	case *extprocv3.ProcessingRequest_RequestTrailers:
		return false, stream.Send(&extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestTrailers{RequestTrailers: &extprocv3.TrailersResponse{}}})
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return false, stream.Send(&extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{}}})
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		return false, stream.Send(&extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extprocv3.TrailersResponse{}}})
	}
	return true, status.Errorf(codes.FailedPrecondition, "message of unknown kind %T", m.Request)
}

func requestBody(stream extprocv3.ExternalProcessor_ProcessServer, x *exchange.Exchange, body []byte) (bool, error) {
	reply := x.RequestBody(body)
	message := bodyReply(&reply)
	if reply.Answer != nil {
		message = immediate(&reply)
	}
	if stream.Context().Err() != nil {
		x.NeverSent()
		return true, nil
	}
	if err := stream.Send(message); err != nil {
		x.NeverSent()
		return true, ended(err)
	}
	return reply.Answer != nil, nil
}

// responseBody lets every piece but the last pass first and reads it afterwards; the last one waits for its
// settlement to be journalled.
func responseBody(stream extprocv3.ExternalProcessor_ProcessServer, x *exchange.Exchange, m *extprocv3.ProcessingRequest, b *extprocv3.HttpBody) (bool, error) {
	if s, ok := responseStatus(m); ok {
		x.ResponseStatus(s)
	}
	if !b.EndOfStream {
		err := stream.Send(pieceReply(nil))
		x.ResponseBody(b.Body, false)
		return err != nil, ended(err)
	}
	metadata := x.ResponseBody(b.Body, true)
	return true, ended(stream.Send(pieceReply(metadata)))
}

// rawHeader is a header as Envoy takes it: in raw_value, replacing what was there.
func rawHeader(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, RawValue: []byte(value)},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
