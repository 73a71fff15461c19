// Owns a grpc-go node for tests: answers seldon.protos.Model/Predict with what it is asked, and does what the words in
// the request say. Tells what happens in lines on standard output. Must not know what messages mean.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const maxMessage = 64 << 20

type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

func (rawCodec) Name() string { return "proto" }

var _ encoding.Codec = rawCodec{}

func tell(format string, values ...any) { fmt.Printf(format+"\n", values...) }

func answer(ctx context.Context, in []byte) ([]byte, error) {
	has := func(word string) bool { return bytes.Contains(in, []byte(word)) }
	if has("[tell]") {
		known, _ := metadata.FromIncomingContext(ctx)
		deadline, bounded := ctx.Deadline()
		left := time.Duration(0)
		if bounded {
			left = time.Until(deadline).Round(time.Millisecond)
		}
		tell("asked k=%s left=%dms", strings.Join(known.Get("k"), ","), left.Milliseconds())
	}
	if has("[gzip]") {
		if err := grpc.SetSendCompressor(ctx, "gzip"); err != nil {
			return nil, err
		}
	}
	if has("[slow]") {
		time.Sleep(5 * time.Millisecond)
	}
	if has("[fail]") {
		failed, err := status.New(codes.FailedPrecondition, "no: ü 100% \n漢").WithDetails(wrapperspb.String("why"))
		if err != nil {
			return nil, err
		}
		return nil, failed.Err()
	}
	if has("[wait]") {
		tell("waiting")
		<-ctx.Done()
		tell("over: %v", ctx.Err())
		return nil, ctx.Err()
	}
	return in, nil
}

func handle(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	in := new([]byte)
	if err := decode(in); err != nil {
		return nil, err
	}
	out, err := answer(ctx, *in)
	return &out, err
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	streams := flag.Uint("streams", 1000, "calls at once on a connection")
	age := flag.Duration("age", time.Hour, "how long a connection lives")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}), grpc.MaxConcurrentStreams(uint32(*streams)),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: *age}))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "seldon.protos.Model", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Predict", Handler: handle}}}, nil)
	go func() {
		// The end of our input is the end of the test.
		for input := bufio.NewScanner(os.Stdin); input.Scan(); {
			server.GracefulStop()
			tell("stopped")
		}
		os.Exit(0)
	}()
	tell("%s", listener.Addr())
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
	select {}
}
