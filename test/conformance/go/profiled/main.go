// SPDX-License-Identifier: Apache-2.0

// A program that pyroscope-go profiles until it is killed: SERVER APPLICATION. It also sends one memory profile of
// godeltaprof by push, under the name that scrapers give to such profiles.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/grafana/pyroscope-go"
	"github.com/grafana/pyroscope-go/godeltaprof"
)

var kept [][]byte

//go:noinline
func spendTimeHere(duration time.Duration) (sum int) {
	for end := time.Now().Add(duration); time.Now().Before(end); {
		for i := 0; i < 1000; i++ {
			sum += i * sum
		}
	}
	return sum
}

//go:noinline
func allocateHere() {
	kept = append(kept, make([]byte, 1<<20))
	if len(kept) > 50 {
		kept = kept[1:]
	}
}

//go:noinline
func waitForLockHere(lock *sync.Mutex) {
	lock.Lock()
	defer lock.Unlock()
	time.Sleep(5 * time.Millisecond)
}

type label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type sample struct {
	RawProfile []byte `json:"rawProfile"`
}

type series struct {
	Labels  []label  `json:"labels"`
	Samples []sample `json:"samples"`
}

func pushDelta(server, application string, profiler *godeltaprof.HeapProfiler) error {
	var profile bytes.Buffer
	if err := profiler.Profile(&profile); err != nil {
		return err
	}
	request, err := json.Marshal(map[string][]series{"series": {{
		Labels:  []label{{"__name__", "godeltaprof_memory"}, {"service_name", application + "-delta"}},
		Samples: []sample{{profile.Bytes()}},
	}}})
	if err != nil {
		return err
	}
	response, err := http.Post(server+"/push.v1.PusherService/Push", "application/json", bytes.NewReader(request))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("push: %s", response.Status)
	}
	return nil
}

func main() {
	server, application := os.Args[1], os.Args[2]
	_, err := pyroscope.Start(pyroscope.Config{
		ApplicationName: application,
		ServerAddress:   server,
		Logger:          pyroscope.StandardLogger,
		Tags:            map[string]string{"region": "eu-north"},
		UploadRate:      2 * time.Second,
		ProfileTypes: []pyroscope.ProfileType{
			pyroscope.ProfileCPU,
			pyroscope.ProfileAllocSpace,
			pyroscope.ProfileInuseSpace,
			pyroscope.ProfileGoroutines,
		},
	})
	if err != nil {
		panic(err)
	}
	delta := godeltaprof.NewHeapProfiler()
	var lock sync.Mutex
	go func() {
		for {
			waitForLockHere(&lock)
		}
	}()
	labels := pyroscope.Labels("controller", "checkout", "span_id", "abcdef0123456789")
	for round := 0; ; round++ {
		pyroscope.TagWrapper(context.Background(), labels, func(context.Context) {
			spendTimeHere(40 * time.Millisecond)
		})
		allocateHere()
		waitForLockHere(&lock)
		if round%50 == 49 {
			if err := pushDelta(server, application, delta); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
}
