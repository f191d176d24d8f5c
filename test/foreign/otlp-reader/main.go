// SPDX-License-Identifier: Apache-2.0

// Reads an ExportProfilesServiceRequest from standard input with the OpenTelemetry project's own generated code and prints,
// as JSON, what a backend would see: for each profile its resource, types, and every sample as a named stack.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	collector "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

type sample struct {
	Stack      []string          `json:"stack"` // leaf first
	Values     []int64           `json:"values"`
	Attributes map[string]string `json:"attributes"`
}

type profile struct {
	Resource      map[string]string `json:"resource"`
	SampleType    string            `json:"sampleType"`
	PeriodType    string            `json:"periodType"`
	Period        int64             `json:"period"`
	PayloadFormat string            `json:"payloadFormat"`
	PayloadBytes  int               `json:"payloadBytes"`
	Samples       []sample          `json:"samples"`
}

func text(value *common.AnyValue) string {
	switch v := value.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_IntValue:
		return fmt.Sprint(v.IntValue)
	default:
		return fmt.Sprint(v)
	}
}

func main() {
	bytes, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	var request collector.ExportProfilesServiceRequest
	if err := proto.Unmarshal(bytes, &request); err != nil {
		panic(err)
	}
	d := request.Dictionary
	profiles := []profile{}
	for _, resourceProfiles := range request.ResourceProfiles {
		resource := map[string]string{}
		for _, a := range resourceProfiles.Resource.GetAttributes() {
			resource[a.Key] = text(a.Value)
		}
		for _, scope := range resourceProfiles.ScopeProfiles {
			for _, p := range scope.Profiles {
				out := profile{
					Resource:      resource,
					SampleType:    d.StringTable[p.SampleType.TypeStrindex] + ":" + d.StringTable[p.SampleType.UnitStrindex],
					PeriodType:    d.StringTable[p.PeriodType.TypeStrindex] + ":" + d.StringTable[p.PeriodType.UnitStrindex],
					Period:        p.Period,
					PayloadFormat: p.OriginalPayloadFormat,
					PayloadBytes:  len(p.OriginalPayload),
				}
				for _, s := range p.Samples {
					row := sample{Values: s.Values, Attributes: map[string]string{}}
					for _, i := range s.AttributeIndices {
						a := d.AttributeTable[i]
						row.Attributes[d.StringTable[a.KeyStrindex]] = text(a.Value)
					}
					for _, l := range d.StackTable[s.StackIndex].LocationIndices {
						location := d.LocationTable[l]
						for _, line := range location.Lines {
							row.Stack = append(row.Stack, d.StringTable[d.FunctionTable[line.FunctionIndex].NameStrindex])
						}
					}
					out.Samples = append(out.Samples, row)
				}
				profiles = append(profiles, out)
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(profiles); err != nil {
		panic(err)
	}
}
