// Command empty is an ext_proc server that does nothing: what an external processor costs before it does any
// work. It asks Envoy for the same messages as farebox (the request's headers, its buffered body, the response
// as it streams) and answers each with CONTINUE, in grpc-go as it comes.
//
//	empty SOCKET
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// gcPercent is what farebox sets: the comparison is about work, not about the collector's settings.
const gcPercent = 400

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "usage: empty SOCKET")
		return 2
	}
	debug.SetGCPercent(gcPercent)
	l, err := net.Listen("unix", args[0])
	if err != nil {
		fmt.Fprintln(stderr, "empty:", err)
		return 1
	}
	g := grpc.NewServer()
	extprocv3.RegisterExternalProcessorServer(g, server{})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	// Ends with the process.
	go func() { <-stop; g.Stop() }()
	if err := g.Serve(l); err != nil {
		fmt.Fprintln(stderr, "empty:", err)
		return 1
	}
	return 0
}

type server struct {
	extprocv3.UnimplementedExternalProcessorServer
}

// Process answers every message of a request until Envoy ends the stream.
func (server) Process(stream extprocv3.ExternalProcessor_ProcessServer) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) || status.Code(err) == codes.Canceled {
			return nil
		}
		if err != nil {
			return err
		}
		reply, err := answer(m)
		if err != nil {
			return err
		}
		if err := stream.Send(reply); err != nil {
			return err
		}
	}
}

func answer(m *extprocv3.ProcessingRequest) (*extprocv3.ProcessingResponse, error) {
	switch m.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return &extprocv3.ProcessingResponse{
			Response: &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{}},
			ModeOverride: &filterv3.ProcessingMode{
				RequestBodyMode: filterv3.ProcessingMode_BUFFERED, ResponseBodyMode: filterv3.ProcessingMode_STREAMED,
				ResponseHeaderMode: filterv3.ProcessingMode_SKIP, ResponseTrailerMode: filterv3.ProcessingMode_SKIP,
			},
		}, nil
	case *extprocv3.ProcessingRequest_RequestBody:
		return &extprocv3.ProcessingResponse{
			Response: &extprocv3.ProcessingResponse_RequestBody{RequestBody: &extprocv3.BodyResponse{}},
		}, nil
	case *extprocv3.ProcessingRequest_ResponseBody:
		return &extprocv3.ProcessingResponse{
			Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{}},
		}, nil
	}
	return nil, status.Errorf(codes.Unimplemented, "message %T was not asked for", m.Request)
}
