// Package extproc serves Envoy's external processing protocol.
//
// Server turns the messages of a stream into the phases of one exchange and the replies back into messages; it
// is the one importer of Envoy's protos. Envoy opens a stream per HTTP request:
//
//	request_headers  -> identify; ask for the body and the response, or let the request go
//	request_body     -> decide; edits, route and metadata, or an answer
//	response_body... -> answered at once and read afterwards; the last one is settled first
//
// Messages that the server did not ask for, trailers and response headers, are let through unchanged; what they
// say of the response's status and end is heard. A buffered body of a request with trailers does not claim to be
// the end of the stream, and is the whole body all the same.
//
// Behaviour on faults:
//
//   - a message out of order or of an unknown kind: the stream ends with FailedPrecondition, the exchange settles
//   - the stream ends early, for whatever reason: the exchange settles what it saw
//   - a reply to the request body that could not be sent: in enforce mode the call never left, and its
//     reservation is released
//   - a decision that takes longer than Envoy waits: no reply, and the same; large and compressed bodies are given
//     more time
//   - a panic: the exchange is abandoned, in enforce mode with an error for the client; the process goes on
//   - the proxy's body modes are not those of the shipped configuration: a warning, once
//   - Leave: streams whose answer is passing end at their next message, which Envoy answers by passing the rest
//     of the response through
//
// Envoy itself must be configured with failure_mode_allow and routes that refuse what nobody decided; the
// envoy package renders such configurations.
package extproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync/atomic"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
)

// MaxMessage is the largest message that the server takes: four times Envoy's request buffer as it is shipped,
// so that an operator may raise that. A larger request is refused by Envoy itself.
const MaxMessage = 64 << 20

// Conductor begins exchanges. *exchange.Conductor implements it.
type Conductor interface {
	Begin() *exchange.Exchange
}

// StreamGauge counts open streams.
type StreamGauge interface {
	StreamOpened()
	StreamClosed()
}

// Server implements envoy.service.ext_proc.v3.ExternalProcessor. Streams run together; each owns its exchange.
type Server struct {
	extprocv3.UnimplementedExternalProcessorServer
	conductor Conductor
	streams   StreamGauge
	leaving   atomic.Bool
}

// New returns a server for exchanges of c.
func New(c Conductor, g StreamGauge) *Server { return &Server{conductor: c, streams: g} }

// Leave makes streams end as soon as no answer to Envoy is owed. It does not wait for them.
func (s *Server) Leave() { s.leaving.Store(true) }

// stream is what the server needs of a gRPC stream.
type stream = extprocv3.ExternalProcessor_ProcessServer

// Process conducts one HTTP request.
func (s *Server) Process(st stream) error {
	s.streams.StreamOpened()
	defer s.streams.StreamClosed()
	x := s.conductor.Begin()
	defer s.end(x)
	for {
		m, err := st.Recv()
		if err != nil {
			return ended(err)
		}
		done, err := s.conduct(st, x, m)
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

// end settles what the stream left open.
func (s *Server) end(x *exchange.Exchange) {
	defer func() {
		if p := recover(); p != nil {
			x.Abandon(withStack(p))
		}
	}()
	why := exchange.StreamEnded
	if s.leaving.Load() {
		why = exchange.Leaving
	}
	x.End(why)
}

// conduct answers one message, and survives a bug on the way. It reports whether the stream has nothing left to do.
func (s *Server) conduct(st stream, x *exchange.Exchange, m *extprocv3.ProcessingRequest) (done bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			done, err = true, abandon(st, x, m, p)
		}
	}()
	done, err = s.dispatch(st, x, m)
	if errors.Is(err, exchange.ErrOrder) {
		err = status.Errorf(codes.FailedPrecondition, "%T out of order", m.Request)
	}
	return done, err
}

// abandon gives the exchange up and answers the message that it failed on, if an answer to that is still owed.
func abandon(st stream, x *exchange.Exchange, m *extprocv3.ProcessingRequest, cause any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = status.Errorf(codes.Internal, "internal error: %v", p)
		}
	}()
	reply := x.Abandon(withStack(cause))
	switch r := m.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return ended(st.Send(headersReply(&reply)))
	case *extprocv3.ProcessingRequest_RequestBody:
		return ended(st.Send(bodyReply(&reply)))
	case *extprocv3.ProcessingRequest_ResponseBody:
		if r.ResponseBody.EndOfStream || x.Edits() {
			return ended(st.Send(pass))
		}
	}
	return nil
}

// withStack is the cause of a panic and the way to it.
func withStack(cause any) error { return fmt.Errorf("panic: %v\n%s", cause, debug.Stack()) }
