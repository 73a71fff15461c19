// Owns the Go baselines: a gRPC and an HTTP server that pass a request to a backend and its answer back, or echo it
// when there is no backend. Must not look into what it passes on.
package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
)

const (
	forwarded    = "/seldon.protos.Model/Predict"
	httpPath     = "/predict"
	streamWindow = 16 << 20
	connWindow   = 64 << 20
	maxMessage   = 64 << 20
	bufferSize   = 256 << 10
)

// rawCodec hands messages through as the buffers that grpc-go received: no copy, no protobuf.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) { return *v.(*mem.BufferSlice), nil }

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	data.Ref()
	*v.(*mem.BufferSlice) = data
	return nil
}

func (rawCodec) Name() string { return "proto" }

type handler func(ctx context.Context, in *mem.BufferSlice) (*mem.BufferSlice, error)

func echo(_ context.Context, in *mem.BufferSlice) (*mem.BufferSlice, error) { return in, nil }

// toBackend says how the backend is reached: plainly, or over TLS when there is a CA.
func toBackend(ca string) credentials.TransportCredentials {
	if ca == "" {
		return insecure.NewCredentials()
	}
	found, err := credentials.NewClientTLSFromFile(ca, "")
	if err != nil {
		log.Fatal(err)
	}
	return found
}

func forward(backend, ca string) handler {
	conn, err := grpc.NewClient(backend,
		grpc.WithTransportCredentials(toBackend(ca)),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}),
			grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithDisableRetry(),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connWindow),
		grpc.WithReadBufferSize(bufferSize), grpc.WithWriteBufferSize(bufferSize))
	if err != nil {
		log.Fatal(err)
	}
	return func(ctx context.Context, in *mem.BufferSlice) (*mem.BufferSlice, error) {
		out := new(mem.BufferSlice)
		if err := conn.Invoke(ctx, forwarded, in, out); err != nil {
			return nil, err
		}
		return out, nil
	}
}

func service(name, method string, answer handler) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: method,
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := new(mem.BufferSlice)
			if err := decode(in); err != nil {
				return nil, err
			}
			return answer(ctx, in)
		},
	}}}
}

// toClients says how clients are served: plainly, or over TLS when there is a certificate.
func toClients(cert, key string) credentials.TransportCredentials {
	if cert == "" {
		return insecure.NewCredentials()
	}
	found, err := credentials.NewServerTLSFromFile(cert, key)
	if err != nil {
		log.Fatal(err)
	}
	return found
}

func serveGRPC(listener net.Listener, backend, ca, cert, key string) error {
	server := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}), grpc.Creds(toClients(cert, key)),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage), grpc.MaxConcurrentStreams(1000),
		grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connWindow),
		grpc.ReadBufferSize(bufferSize), grpc.WriteBufferSize(bufferSize))
	answer := echo
	if backend != "" {
		answer = forward(backend, ca)
	}
	server.RegisterService(service("seldon.protos.Seldon", "Predict", answer), nil)
	server.RegisterService(service("seldon.protos.Model", "Predict", answer), nil)
	return server.Serve(listener)
}

func serveHTTP(listener net.Listener, backend string) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true}, Timeout: time.Minute}
	pass := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && backend != "" {
			var answer *http.Response
			answer, err = client.Post("http://"+backend+httpPath, r.Header.Get("Content-Type"), bytes.NewReader(body))
			if err == nil {
				body, err = io.ReadAll(answer.Body)
				answer.Body.Close()
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}
	return (&http.Server{Handler: http.HandlerFunc(pass)}).Serve(listener)
}

func main() {
	kind := flag.String("kind", "grpc", "grpc or http")
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	backend := flag.String("backend", "", "HOST:PORT to forward to; none: echo")
	cert := flag.String("cert", "", "certificate to serve gRPC with over TLS")
	key := flag.String("key", "", "its key")
	ca := flag.String("ca", "", "CA of a gRPC backend that is reached over TLS")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("ready on %s", listener.Addr())
	if *kind == "http" {
		log.Fatal(serveHTTP(listener, *backend))
	}
	log.Fatal(serveGRPC(listener, *backend, *ca, *cert, *key))
}
