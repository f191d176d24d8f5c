// SPDX-License-Identifier: Apache-2.0

// Sends one profile with the code that the OpenTelemetry project generates, in the three ways of OTLP:
// HOST:PORT SERVICE. One stack, main;spendTimeHere, with a span.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	profiles "go.opentelemetry.io/proto/otlp/profiles/v1development"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func text(value string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}
}

func request(service string) *collector.ExportProfilesServiceRequest {
	strings := []string{"", "samples", "count", "cpu", "nanoseconds", "main", "spendTimeHere", "main.go", "thread.name"}
	return &collector.ExportProfilesServiceRequest{
		Dictionary: &profiles.ProfilesDictionary{
			StringTable:  strings,
			MappingTable: []*profiles.Mapping{{}},
			FunctionTable: []*profiles.Function{
				{},
				{NameStrindex: 5, FilenameStrindex: 7},
				{NameStrindex: 6, FilenameStrindex: 7},
			},
			LocationTable: []*profiles.Location{
				{},
				{Lines: []*profiles.Line{{FunctionIndex: 1, Line: 3}}},
				{Lines: []*profiles.Line{{FunctionIndex: 2, Line: 7}}},
			},
			StackTable: []*profiles.Stack{{}, {LocationIndices: []int32{2, 1}}},
			LinkTable: []*profiles.Link{
				{},
				{TraceId: bytes.Repeat([]byte{0xab}, 16), SpanId: []byte{0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89}},
			},
			AttributeTable: []*profiles.KeyValueAndUnit{{}, {KeyStrindex: 8, Value: text("worker")}},
		},
		ResourceProfiles: []*profiles.ResourceProfiles{{
			Resource: &resource.Resource{Attributes: []*common.KeyValue{
				{Key: "service.name", Value: text(service)},
				{Key: "host.name", Value: text("test-host")},
			}},
			ScopeProfiles: []*profiles.ScopeProfiles{{
				Scope: &common.InstrumentationScope{Name: "conformance"},
				Profiles: []*profiles.Profile{{
					SampleType:   &profiles.ValueType{TypeStrindex: 1, UnitStrindex: 2},
					PeriodType:   &profiles.ValueType{TypeStrindex: 3, UnitStrindex: 4},
					Period:       10_000_000,
					TimeUnixNano: uint64(time.Now().UnixNano()),
					DurationNano: 1_000_000_000,
					Samples: []*profiles.Sample{
						{StackIndex: 1, Values: []int64{50}, LinkIndex: 1, AttributeIndices: []int32{1}},
					},
				}},
			}},
		}},
	}
}

func overGrpc(address string, message *collector.ExportProfilesServiceRequest) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := collector.NewProfilesServiceClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	answer, err := client.Export(ctx, message, grpc.UseCompressor("gzip"))
	if err == nil && answer.GetPartialSuccess() != nil {
		err = fmt.Errorf("partial success: %v", answer.GetPartialSuccess())
	}
	return err
}

func overHTTP(address, contentType string, body []byte, packed bool) error {
	if packed {
		var buffer bytes.Buffer
		writer := gzip.NewWriter(&buffer)
		writer.Write(body)
		writer.Close()
		body = buffer.Bytes()
	}
	url := "http://" + address + "/v1development/profiles"
	post, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	post.Header.Set("Content-Type", contentType)
	if packed {
		post.Header.Set("Content-Encoding", "gzip")
	}
	response, err := http.DefaultClient.Do(post)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, answer)
	}
	return nil
}

func main() {
	address, service := os.Args[1], os.Args[2]
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	check(overGrpc(address, request(service+"-grpc")))
	binary, err := proto.Marshal(request(service + "-proto"))
	check(err)
	check(overHTTP(address, "application/x-protobuf", binary, true))
	document, err := protojson.Marshal(request(service + "-json"))
	check(err)
	check(overHTTP(address, "application/json", document, false))
}
